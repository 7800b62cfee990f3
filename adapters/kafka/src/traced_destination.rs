//! Sending to one topic often.

use crate::base_producer::Queued;
use crate::{TracedContext, TracedDeliveryFuture, TracedProducer};
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{BaseRecord, FutureProducer, FutureRecord, Partitioner, ProducerContext, ThreadedProducer};
use rdkafka::util::{AsyncRuntime, Timeout};
use std::fmt;
use traced_envelope::PreparedDestination;

/// A topic to which records are sent often; made by [`TracedProducer::destination`].
///
/// Its `send` is [`TracedProducer`]'s. A record for another topic goes there, only without the shortcut.
///
/// ```
/// # use rdkafka::ClientConfig;
/// # use rdkafka::producer::{FutureProducer, FutureRecord};
/// # use traced_kafka::{TracedDestination, TracedProducer};
/// # use traced_kafka::envelope::testing::Capture;
/// # let capture = Capture::new();
/// # let producer: FutureProducer = ClientConfig::new().create()?;
/// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
///
/// struct Orders {
///     topic: TracedDestination, // made once, kept
/// }
/// let orders = Orders { topic: producer.destination("orders") };
/// drop(orders.topic.send_result(FutureRecord::to("orders").key("42").payload("{}")));
/// capture.assert_trace("send orders  shop  PRODUCER");
/// # Ok::<_, rdkafka::error::KafkaError>(())
/// ```
#[derive(Clone)]
pub struct TracedDestination<P = FutureProducer> {
    producer: TracedProducer<P>,
    prepared: PreparedDestination,
}

impl<P> TracedDestination<P> {
    pub(crate) fn new(producer: TracedProducer<P>, prepared: PreparedDestination) -> Self {
        Self { producer, prepared }
    }

    fn prepared(&self, topic: &str) -> PreparedDestination {
        if topic == self.prepared.name() { self.prepared.clone() } else { self.producer.prepared("send", topic) }
    }
}

impl<C, R> TracedDestination<FutureProducer<C, R>>
where
    C: ClientContext + 'static,
    R: AsyncRuntime,
{
    /// [`TracedProducer::send`] to this topic.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use rdkafka::util::Timeout;
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> rdkafka::error::KafkaResult<()> {
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    /// # let producer: FutureProducer = config.create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// let orders = producer.destination("orders");
    /// for order in ["41", "42"] {
    ///     let record = FutureRecord::to("orders").key(order).payload("{}");
    ///     orders.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
    /// }
    /// assert_eq!(capture.spans().len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    pub async fn send<K, P, T>(&self, record: FutureRecord<'_, K, P>, queue_timeout: T) -> OwnedDeliveryResult
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
        T: Into<Timeout>,
    {
        self.producer.send_to(self.prepared(record.topic), record, queue_timeout.into()).await
    }

    /// [`TracedProducer::send_result`] to this topic.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> rdkafka::error::KafkaResult<()> {
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    /// # let producer: FutureProducer = config.create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// let orders = producer.destination("orders");
    /// let send = |order: &'static str| orders.send_result(FutureRecord::to("orders").key(order).payload("{}"));
    /// let deliveries = [send("41").map_err(|(error, _)| error)?, send("42").map_err(|(error, _)| error)?];
    /// for delivery in deliveries {
    ///     delivery.await.expect("the producer lives").map_err(|(error, _)| error)?;
    /// }
    /// assert_eq!(capture.spans().len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send_result<'a, K, P>(
        &self,
        record: FutureRecord<'a, K, P>,
    ) -> Result<TracedDeliveryFuture, (KafkaError, FutureRecord<'a, K, P>)>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        self.producer.queue(&self.prepared(record.topic), record)
    }
}

impl<C, Part> TracedDestination<ThreadedProducer<TracedContext<C>, Part>>
where
    C: ProducerContext<Part> + 'static,
    Part: Partitioner,
{
    /// [`TracedProducer::send`] to this topic.
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
    /// # let producer: ThreadedProducer<_> = config.create_with_context(TracedContext::new(DefaultProducerContext))?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// let orders = producer.destination("orders");
    /// for order in ["41", "42"] {
    ///     orders.send(BaseRecord::to("orders").key(order).payload("{}")).map_err(|(error, _)| error)?;
    /// }
    /// producer.get_ref().flush(Duration::from_secs(10))?;
    /// assert_eq!(capture.spans().len(), 2);
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send<'a, K, P>(&self, record: BaseRecord<'a, K, P, C::DeliveryOpaque>) -> Queued<'a, K, P, C::DeliveryOpaque>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let send = |record| self.producer.producer.send(record);
        self.producer.queue_by(&self.prepared(record.topic), record, send)
    }
}

impl<P> fmt::Debug for TracedDestination<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracedDestination")
            .field("producer", &self.producer)
            .field("prepared", &self.prepared)
            .finish()
    }
}
