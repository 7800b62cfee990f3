//! Sending through a [`BaseProducer`] or a [`ThreadedProducer`].

use crate::context::TracedOpaque;
use crate::producer::Outgoing;
use crate::{TracedContext, TracedProducer};
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::{BaseProducer, BaseRecord, Partitioner, ProducerContext, ThreadedProducer};
use rdkafka::util::IntoOpaque;
use traced_envelope::PreparedDestination;

/// rdkafka's answer: the record comes back where it was not queued.
pub(crate) type Queued<'a, K, P, D> = Result<(), (KafkaError, BaseRecord<'a, K, P, D>)>;

impl<C, Part> TracedProducer<BaseProducer<TracedContext<C>, Part>>
where
    C: ProducerContext<Part>,
    Part: Partitioner,
{
    /// [`BaseProducer::send`], inside a span `send {topic}` whose context replaces one that the record carries. It ends with the
    /// delivery report: poll the producer ([`get_ref`](Self::get_ref)), as without this crate.
    ///
    /// ```no_run
    /// use rdkafka::ClientConfig;
    /// use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
    /// use std::time::Duration;
    /// use traced_kafka::{TracedContext, TracedProducer};
    ///
    /// # fn example() -> rdkafka::error::KafkaResult<()> {
    /// let context = TracedContext::new(DefaultProducerContext);
    /// let producer: BaseProducer<_> = ClientConfig::new().create_with_context(context)?;
    /// let producer = TracedProducer::new(producer);
    /// producer.send(BaseRecord::to("orders").key("42").payload("{}")).map_err(|(error, _)| error)?;
    /// producer.get_ref().flush(Duration::from_secs(10))?; // the span ends
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given: its own headers, without ours. The span ends with it.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send<'a, K, P>(&self, record: BaseRecord<'a, K, P, C::DeliveryOpaque>) -> Queued<'a, K, P, C::DeliveryOpaque>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        self.queue_by(&self.prepared("send", record.topic), record, |record| self.producer.send(record))
    }
}

impl<C, Part> TracedProducer<ThreadedProducer<TracedContext<C>, Part>>
where
    C: ProducerContext<Part> + 'static,
    Part: Partitioner,
{
    /// [`ThreadedProducer::send`], inside a span `send {topic}` whose context replaces one that the record carries. It ends with the
    /// delivery report.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
    /// # use std::time::Duration;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # use traced_kafka::{TracedContext, TracedProducer};
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    /// let producer: ThreadedProducer<_> = config.create_with_context(TracedContext::new(DefaultProducerContext))?;
    /// let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// producer.send(BaseRecord::to("orders").key("42").payload("{}")).map_err(|(error, _)| error)?;
    /// producer.get_ref().flush(Duration::from_secs(10))?; // it polls by itself; this only waits
    /// capture.assert_trace("send orders  shop  PRODUCER");
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given: its own headers, without ours. The span ends with it.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send<'a, K, P>(&self, record: BaseRecord<'a, K, P, C::DeliveryOpaque>) -> Queued<'a, K, P, C::DeliveryOpaque>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        self.queue_by(&self.prepared("send", record.topic), record, |record| self.producer.send(record))
    }
}

impl<N> TracedProducer<N> {
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub(crate) fn queue_by<'a, K, P, D>(
        &self,
        destination: &PreparedDestination,
        mut record: BaseRecord<'a, K, P, D>,
        send: impl FnOnce(BaseRecord<'a, K, P, Box<TracedOpaque<D>>>) -> Queued<'a, K, P, Box<TracedOpaque<D>>>,
    ) -> Queued<'a, K, P, D>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
        D: IntoOpaque,
    {
        let outgoing = Outgoing::new(record.partition, record.key, record.payload);
        let (mut in_flight, given) = self.send_span(destination, outgoing, &mut record.headers);
        // Before it is: from the queue on the span is librdkafka's, and the report may be faster than we are.
        in_flight.handed_over();
        send(with_opaque(record, |opaque| TracedOpaque::new(in_flight, opaque))).map_err(|(error, record)| {
            let mut refused = None;
            let mut record = with_opaque(record, |traced| {
                refused = Some(traced.in_flight);
                traced.opaque
            });
            if let Some(in_flight) = refused {
                in_flight.refused(&error);
            }
            given.give_back(&mut record.headers);
            (error, record)
        })
    }
}

fn with_opaque<'a, K, P, D, E>(record: BaseRecord<'a, K, P, D>, opaque: impl FnOnce(D) -> E) -> BaseRecord<'a, K, P, E>
where
    K: ToBytes + ?Sized,
    P: ToBytes + ?Sized,
    D: IntoOpaque,
    E: IntoOpaque,
{
    let BaseRecord { topic, partition, payload, key, timestamp, headers, delivery_opaque } = record;
    let delivery_opaque = opaque(delivery_opaque);
    BaseRecord { topic, partition, payload, key, timestamp, headers, delivery_opaque }
}
