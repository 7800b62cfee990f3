//! A producer whose records have spans, and what is the same for rdkafka's three producers.

use crate::in_flight::{GivenHeaders, InFlight};
use crate::open_transaction::Transaction;
use crate::{HeaderExtractor, HeaderInjector, TracedDestination, destination};
use opentelemetry::Context;
use rdkafka::message::{OwnedHeaders, ToBytes};
use rdkafka::producer::FutureProducer;
use std::fmt;
use std::sync::Arc;
use traced_envelope::{
    MessageSpan, Operation, PreparedDestination, Settings, Status, Telemetry, is_anonymous, semconv,
};

/// A producer that sends with a span for each record, whose context travels in the record's headers.
///
/// It wraps any of rdkafka's: a [`FutureProducer`], and a [`BaseProducer`](rdkafka::producer::BaseProducer) or
/// [`ThreadedProducer`](rdkafka::producer::ThreadedProducer) that was made with a [`TracedContext`](crate::TracedContext). `send` has
/// the arguments and the result of the producer inside.
///
/// ```no_run
/// use rdkafka::ClientConfig;
/// use rdkafka::producer::{FutureProducer, FutureRecord};
/// use rdkafka::util::Timeout;
/// use traced_kafka::TracedProducer;
///
/// # async fn example() -> rdkafka::error::KafkaResult<()> {
/// let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", "localhost:9092").create()?;
/// let producer = TracedProducer::new(producer);
/// let record = FutureRecord::to("orders").key("42").payload("{}");
/// let delivery = producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
/// assert!(delivery.offset >= 0);
/// # Ok(()) }
/// ```
///
/// Clones, where the producer inside has them, share its open transaction.
#[derive(Clone)]
pub struct TracedProducer<P = FutureProducer> {
    pub(crate) producer: P,
    telemetry: Telemetry,
    pub(crate) transaction: Arc<Transaction>,
}

impl<P> TracedProducer<P> {
    /// Sends through this producer, with the process-wide providers and propagator.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// use traced_kafka::{TracedProducer, envelope::Status};
    /// # let producer: FutureProducer = ClientConfig::new().create()?;
    ///
    /// let producer = TracedProducer::new(producer);
    /// drop(producer.send_result(FutureRecord::to("orders").key("42").payload("{}")));
    /// assert_eq!(producer.status(), Status::NoSdk { messages: 1 }); // no provider was installed before
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn new(producer: P) -> Self {
        Self::with_settings(producer, &Settings::default())
    }

    /// Sends through this producer, with settings of its own.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let producer: FutureProducer = ClientConfig::new().create()?;
    ///
    /// let settings = capture.settings("shop").message_keys(true); // outside tests: `Settings::default()`
    /// let producer = TracedProducer::with_settings(producer, &settings);
    /// drop(producer.send_result(FutureRecord::to("orders").key("42").payload("{}")));
    /// assert_eq!(capture.span("send orders").attribute("messaging.kafka.message.key"), Some(&"42".into()));
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn with_settings(producer: P, settings: &Settings) -> Self {
        Self { producer, telemetry: crate::telemetry(settings), transaction: Arc::default() }
    }

    /// The producer.
    ///
    /// ```
    /// use rdkafka::producer::Producer;
    /// # use rdkafka::{ClientConfig, mocking::MockCluster, producer::FutureProducer};
    /// # use std::time::Duration;
    /// # use traced_kafka::TracedProducer;
    /// # let cluster = MockCluster::new(1)?;
    /// # cluster.create_topic("orders", 3, 1)?;
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    /// # let producer = TracedProducer::new(config.create::<FutureProducer>()?);
    ///
    /// let metadata = producer.get_ref().client().fetch_metadata(Some("orders"), Duration::from_secs(10))?;
    /// assert_eq!(metadata.topics()[0].partitions().len(), 3);
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &P {
        &self.producer
    }

    /// Gives the producer back. A transaction that is open stays so, but its span ends with the last clone, as `cancelled`.
    ///
    /// ```
    /// use traced_kafka::TracedProducer;
    ///
    /// assert_eq!(TracedProducer::new("any producer").into_inner(), "any producer");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> P {
        self.producer
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_kafka::envelope::Status;
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let producer: FutureProducer = ClientConfig::new().create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    ///
    /// assert_eq!(producer.status(), Status::NoMessageYet);
    /// drop(producer.send_result(FutureRecord::to("orders").key("42").payload("{}")));
    /// assert_eq!(producer.status(), Status::Active); // an SDK made the span
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.telemetry.status()
    }

    /// Prepares a topic: what is the same for all its records is worked out once.
    ///
    /// ```no_run
    /// use rdkafka::producer::FutureRecord;
    /// use rdkafka::util::Timeout;
    /// use traced_kafka::TracedProducer;
    ///
    /// # async fn example(producer: TracedProducer) -> rdkafka::error::KafkaResult<()> {
    /// let orders = producer.destination("orders");
    /// for order in ["1", "2"] {
    ///     let record = FutureRecord::<(), _>::to("orders").payload(order);
    ///     orders.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn destination(&self, topic: &str) -> TracedDestination<P>
    where
        P: Clone,
    {
        TracedDestination::new(self.clone(), self.prepared("send", topic))
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    pub(crate) fn prepared(&self, operation: &'static str, topic: &str) -> PreparedDestination {
        if is_anonymous(topic) {
            // One that was made up would take the place of the destinations that last.
            return self.telemetry.prepare(operation, destination::of_topic(topic));
        }
        self.telemetry.prepared(operation, &[topic], |_| destination::of_topic(topic))
    }

    /// Whether headers are looked at and written to at all: where not, records pass untouched and nothing is copied.
    pub(crate) fn is_on(&self) -> bool {
        self.telemetry.is_enabled() && !Context::is_current_telemetry_suppressed()
    }

    /// Starts a span and writes its context into a copy of the headers.
    pub(crate) fn send_span(
        &self,
        destination: &PreparedDestination,
        record: Outgoing<'_>,
        headers: &mut Option<OwnedHeaders>,
    ) -> (InFlight, GivenHeaders) {
        let operation = Operation::new("send", destination);
        self.inject(operation, record, headers, |operation, headers| self.telemetry.send(operation, headers))
    }

    pub(crate) fn inject(
        &self,
        operation: Operation<'_>,
        record: Outgoing<'_>,
        headers: &mut Option<OwnedHeaders>,
        start: impl FnOnce(Operation<'_>, &mut HeaderInjector<'_>) -> MessageSpan,
    ) -> (InFlight, GivenHeaders) {
        if !self.is_on() {
            return (InFlight { span: MessageSpan::off(), partition_given: false }, GivenHeaders::Untouched);
        }
        let partition = record.partition.filter(|partition| *partition >= 0);
        let mut operation = operation.message_key(record.key);
        if let Some(partition) = partition {
            operation = operation.partition(partition);
        }
        operation = match record.payload {
            Some(payload) => operation.body_size(payload.len()),
            None => operation.attribute(&semconv::KAFKA_TOMBSTONE, true),
        };
        if let Some(headers) = headers {
            operation = operation.existing(self.telemetry.existing(&HeaderExtractor(headers.as_borrowed())));
        }
        let transaction = self.transaction.around();
        let _parent = transaction.parent();
        let mut copy = headers.clone();
        let span = start(operation.link(transaction.linked()), &mut HeaderInjector(&mut copy));
        let given = GivenHeaders::Kept(std::mem::replace(headers, copy));
        (InFlight { span, partition_given: partition.is_some() }, given)
    }
}

impl<P> fmt::Debug for TracedProducer<P> {
    /// rdkafka's producers have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedProducer").field("telemetry", &self.telemetry).finish_non_exhaustive()
    }
}

/// What a span may tell of a record.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    partition: Option<i32>,
    key: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new<K, P>(partition: Option<i32>, key: Option<&'a K>, payload: Option<&'a P>) -> Self
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        Self { partition, key: key.map(ToBytes::to_bytes), payload: payload.map(ToBytes::to_bytes) }
    }
}
