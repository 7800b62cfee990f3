//! Consuming with a span for each message.

use crate::attempt::AttemptHeaders;
use crate::source::Source;
use crate::{NativeMessage, TracedMessage};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use traced_envelope::semconv::KAFKA_OFFSET;
use traced_envelope::{Operation, Outcome, Settings, Status};

/// One of rdkafka's consumers, whose messages are processed inside spans: a [`StreamConsumer`](rdkafka::consumer::StreamConsumer), or a
/// [`BaseConsumer`](rdkafka::consumer::BaseConsumer) in synchronous code.
///
/// A message has no span before the application gets it and processes it: fetching ahead costs nothing.
///
/// ```no_run
/// use rdkafka::Message;
/// use rdkafka::consumer::StreamConsumer;
/// use traced_kafka::TracedConsumer;
///
/// # async fn reserve(_: Option<&[u8]>) -> anyhow::Result<()> { Ok(()) }
/// # async fn example(consumer: StreamConsumer) -> anyhow::Result<()> {
/// let consumer = TracedConsumer::new(consumer); // subscribed before, or by `get_ref()`
/// loop {
///     let message = consumer.recv().await?;
///     message.process(async |message| reserve(message.payload()).await).await?; // spans made there are children
/// }
/// # }
/// ```
pub struct TracedConsumer<T> {
    pub(crate) consumer: T,
    pub(crate) source: Arc<Source>,
}

impl<T> TracedConsumer<T> {
    /// Wraps a consumer, with the process-wide providers and propagator.
    ///
    /// ```
    /// use rdkafka::ClientConfig;
    /// use rdkafka::consumer::{BaseConsumer, Consumer};
    /// use traced_kafka::TracedConsumer;
    ///
    /// let consumer: BaseConsumer = ClientConfig::new().set("group.id", "warehouse").create()?;
    /// consumer.subscribe(&["orders"])?;
    /// let consumer = TracedConsumer::new(consumer); // the subscription stays
    /// assert_eq!(consumer.get_ref().subscription()?.count(), 1);
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn new(consumer: T) -> Self {
        Self::with_settings(consumer, &Settings::default())
    }

    /// Wraps a consumer, with settings of its own. rdkafka hides the group and the client's id:
    /// [`Settings::consumer_group`] and [`Settings::client_id`] add them to the spans.
    ///
    /// ```no_run
    /// use rdkafka::ClientConfig;
    /// use rdkafka::consumer::StreamConsumer;
    /// use traced_kafka::{Settings, TracedConsumer};
    ///
    /// # fn example(config: &ClientConfig) -> rdkafka::error::KafkaResult<()> {
    /// let settings = Settings::default().consumer_group(config.get("group.id").unwrap_or_default());
    /// let consumer = TracedConsumer::with_settings(config.create::<StreamConsumer>()?, &settings);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_settings(consumer: T, settings: &Settings) -> Self {
        Self { consumer, source: Arc::new(Source::new(settings)) }
    }

    /// The headers in which other frameworks count attempts, by their exact names: decimal text, or the four bytes of a big-endian
    /// integer. Beside them the `x-attempt` of [`TracedProducer::retry`](crate::TracedProducer::retry) is always heard; the largest number
    /// counts. Default: none.
    ///
    /// | framework | header |
    /// |---|---|
    /// | Spring Kafka, retries by topics (`@RetryableTopic`) | `retry_topic-attempts` |
    ///
    /// ```no_run
    /// use rdkafka::consumer::StreamConsumer;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # fn example(consumer: StreamConsumer) {
    /// let consumer = TracedConsumer::new(consumer).attempt_headers(["retry_topic-attempts"]);
    /// # }
    /// ```
    #[must_use]
    pub fn attempt_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let attempt_headers = AttemptHeaders::new(names);
        self.source = Arc::new(Source { attempt_headers, ..(*self.source).clone() });
        self
    }

    /// rdkafka's consumer.
    ///
    /// ```
    /// use rdkafka::consumer::Consumer;
    /// # use rdkafka::{ClientConfig, consumer::BaseConsumer};
    /// # use traced_kafka::TracedConsumer;
    /// # let consumer: BaseConsumer = ClientConfig::new().set("group.id", "warehouse").create()?;
    /// # let consumer = TracedConsumer::new(consumer);
    ///
    /// consumer.get_ref().subscribe(&["orders"])?;
    /// assert_eq!(consumer.get_ref().subscription()?.count(), 1);
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.consumer
    }

    /// Gives rdkafka's consumer back.
    ///
    /// ```
    /// use rdkafka::consumer::Consumer;
    /// # use rdkafka::{ClientConfig, consumer::BaseConsumer};
    /// # use traced_kafka::TracedConsumer;
    /// # let consumer: BaseConsumer = ClientConfig::new().set("group.id", "warehouse").create()?;
    /// # let consumer = TracedConsumer::new(consumer);
    /// # consumer.get_ref().subscribe(&["orders"])?;
    ///
    /// let consumer = consumer.into_inner();
    /// assert_eq!(consumer.subscription()?.count(), 1); // as it was
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.consumer
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_kafka::TracedConsumer;
    /// use traced_kafka::envelope::Status;
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
    ///
    /// assert_eq!(consumer.status(), Status::NoMessageYet);
    /// consumer.wrap(order).process_blocking(|_| Ok::<_, std::io::Error>(()))?;
    /// assert_eq!(consumer.status(), Status::Active); // an SDK made the span
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.source.telemetry.status()
    }

    /// Wraps a message that came another way than through this: from a partition's own queue, or from a consumer that is shared.
    ///
    /// ```no_run
    /// use rdkafka::consumer::StreamConsumer;
    /// use std::sync::Arc;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # async fn example(consumer: Arc<StreamConsumer>) -> rdkafka::error::KafkaResult<()> {
    /// let traced = TracedConsumer::new(Arc::clone(&consumer));
    /// if let Some(partition) = consumer.split_partition_queue("orders", 0) {
    ///     let message = traced.wrap(partition.recv().await?);
    ///     message.process(async |_| Ok::<_, std::io::Error>(())).await.ok();
    /// }
    /// # Ok(()) }
    /// ```
    pub fn wrap<M: NativeMessage>(&self, message: M) -> TracedMessage<M> {
        TracedMessage::new(message, Arc::clone(&self.source))
    }

    /// Wraps a message that a pull brought which began at `started`.
    pub(crate) fn received<M: NativeMessage>(&self, message: M, started: SystemTime) -> TracedMessage<M> {
        self.source.receive(&message, started);
        self.wrap(message)
    }
}

impl Source {
    /// The receive span of a pull, where it is asked for.
    fn receive<M: NativeMessage>(&self, message: &M, started: SystemTime) {
        if !self.telemetry.makes_receive_spans() {
            return;
        }
        let destination = self.destination(message.topic());
        let operation = Operation::new("poll", &destination)
            .partition(message.partition())
            .attribute(&KAFKA_OFFSET, message.offset());
        self.telemetry.receive(operation, started, [self.creation(message)]).end(Outcome::Ok);
    }
}

impl<T> fmt::Debug for TracedConsumer<T> {
    /// rdkafka's consumers have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedConsumer").field("source", &self.source).finish_non_exhaustive()
    }
}
