//! A message and its process span.

use crate::open_message::OpenMessage;
use crate::source::Source;
use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, OwnedHeaders, OwnedMessage};
use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use traced_envelope::Outcome;

/// rdkafka's two messages: the [`BorrowedMessage`] that lies in the consumer's memory, and the [`OwnedMessage`] that outlives it.
///
/// It cannot be implemented elsewhere.
///
/// ```
/// # use rdkafka::message::{OwnedMessage, Timestamp};
/// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
/// use traced_kafka::{NativeMessage, TracedConsumer, TracedMessage};
///
/// // For messages of both kinds.
/// fn is_first<M: NativeMessage>(message: &TracedMessage<M>) -> bool {
///     message.get_ref().offset() == 0
/// }
/// # let consumer = TracedConsumer::new(());
/// assert!(!is_first(&consumer.wrap(order))); // it is at offset 7
/// ```
pub trait NativeMessage: Message + sealed::Sealed {
    /// The headers as librdkafka holds them. rdkafka's own iteration panics at a name that is not UTF-8; read them by
    /// [`HeaderExtractor`](crate::HeaderExtractor).
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_kafka::rdkafka::message::{Header, OwnedHeaders, OwnedMessage, Timestamp};
    /// use traced_kafka::{HeaderExtractor, NativeMessage};
    ///
    /// let headers = OwnedHeaders::new().insert(Header { key: "tenant", value: Some("acme") });
    /// let message = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, Some(headers));
    /// let headers = message.native_headers().map(HeaderExtractor);
    /// assert_eq!(headers.as_ref().and_then(|headers| headers.get("tenant")), Some("acme"));
    /// ```
    fn native_headers(&self) -> Option<&BorrowedHeaders>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::BorrowedMessage<'_> {}
    impl Sealed for super::OwnedMessage {}
}

impl NativeMessage for BorrowedMessage<'_> {
    fn native_headers(&self) -> Option<&BorrowedHeaders> {
        self.headers()
    }
}

impl NativeMessage for OwnedMessage {
    fn native_headers(&self) -> Option<&BorrowedHeaders> {
        self.headers().map(OwnedHeaders::as_borrowed)
    }
}

/// A message that knows how to be processed inside a span.
///
/// The span starts when the handler does, not before. [`process`](Self::process) is the usual way; [`start`](Self::start) is for messages
/// that are done with elsewhere.
///
/// `M` is rdkafka's message: a [`BorrowedMessage`] as the consumer hands it out, which keeps a place in the consumer's memory, or the
/// [`OwnedMessage`] that [`detach`](Self::detach) makes of it.
///
/// ```
/// use rdkafka::Message;
/// use traced_kafka::TracedConsumer;
/// # use rdkafka::message::{OwnedMessage, Timestamp};
/// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
/// # use traced_kafka::envelope::testing::Capture;
/// # let capture = Capture::new();
/// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
/// # fn reserve(_: Option<&[u8]>) -> std::io::Result<()> { Ok(()) }
///
/// let message = consumer.wrap(order); // as `recv` and `poll` hand it out
/// assert!(capture.spans().is_empty());
/// message.process_blocking(|message| reserve(message.payload()))?;
/// capture.assert_trace("process orders  warehouse  CONSUMER");
/// # Ok::<_, std::io::Error>(())
/// ```
pub struct TracedMessage<M> {
    message: M,
    source: Arc<Source>,
}

impl<M: NativeMessage> TracedMessage<M> {
    pub(crate) fn new(message: M, source: Arc<Source>) -> Self {
        Self { message, source }
    }

    /// rdkafka's message.
    ///
    /// ```
    /// use rdkafka::Message;
    /// # use traced_kafka::TracedConsumer;
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # let message = TracedConsumer::new(()).wrap(order);
    ///
    /// assert_eq!((message.get_ref().topic(), message.get_ref().offset()), ("orders", 7));
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &M {
        &self.message
    }

    /// Gives rdkafka's message back; no span is made.
    ///
    /// ```
    /// use rdkafka::Message;
    /// # use traced_kafka::TracedConsumer;
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
    ///
    /// let message = consumer.wrap(order).into_inner(); // to be skipped
    /// assert_eq!(message.offset(), 7);
    /// assert!(capture.spans().is_empty());
    /// ```
    #[must_use]
    pub fn into_inner(self) -> M {
        self.message
    }

    /// Which attempt at the message this is, 1 for the first, and where nothing tells: Kafka itself counts no deliveries. By the header
    /// `x-attempt` of [`TracedProducer::retry`](crate::TracedProducer::retry), and those of
    /// [`TracedConsumer::attempt_headers`](crate::TracedConsumer::attempt_headers).
    ///
    /// ```
    /// use rdkafka::message::{Header, OwnedHeaders, OwnedMessage, Timestamp};
    /// use traced_kafka::TracedConsumer;
    ///
    /// let headers = OwnedHeaders::new().insert(Header { key: "x-attempt", value: Some("3") });
    /// let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, Some(headers));
    /// assert_eq!(TracedConsumer::new(()).wrap(order).attempt(), 3);
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.source.attempt_headers.attempt(self.message.native_headers()).unwrap_or(1)
    }

    /// Runs the handler inside a span `process {topic}`; spans that it makes are children. Its result comes back unchanged and decides
    /// the span's status. Offsets are not touched: the consumer's configuration, the handler or the caller sees to them, as without a
    /// span.
    ///
    /// A task that the handler spawns does not inherit the span's context; `with_current_context()` of OpenTelemetry's `FutureExt`
    /// carries it over:
    ///
    /// ```no_run
    /// use opentelemetry::context::FutureExt;
    /// use traced_kafka::{NativeMessage, TracedMessage};
    ///
    /// # async fn index(_: Vec<u8>) {}
    /// # async fn example<M: NativeMessage>(message: TracedMessage<M>) -> Result<(), std::io::Error> {
    /// message
    ///     .process(async |message| {
    ///         let payload = message.payload().unwrap_or_default().to_vec();
    ///         tokio::spawn(index(payload).with_current_context()); // without it: a trace of its own
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the handler is dropped and the span ends as `cancelled`.
    pub async fn process<H, F, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(M) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let span = self.source.process(&self.message);
        let message = self.message;
        span.run(async move { handler(message).await }).await
    }

    /// The same for a handler whose output is no `Result`: `classify` says how it ended.
    ///
    /// ```no_run
    /// use rdkafka::Message;
    /// use rdkafka::message::OwnedMessage;
    /// use traced_kafka::{Outcome, TracedMessage};
    ///
    /// # async fn store(_: Option<&[u8]>) -> usize { 1 }
    /// # async fn example(message: TracedMessage<OwnedMessage>) {
    /// let rows = message.process_with(async |message| store(message.payload()).await, |rows| match rows {
    ///     0 => Outcome::error("nothing_stored", "no row was written"),
    ///     _ => Outcome::Ok,
    /// });
    /// assert_eq!(rows.await, 1);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`process`](Self::process).
    pub async fn process_with<H, F>(self, handler: H, classify: impl FnOnce(&F::Output) -> Outcome) -> F::Output
    where
        H: FnOnce(M) -> F,
        F: Future,
    {
        let span = self.source.process(&self.message);
        let message = self.message;
        span.run_with(async move { handler(message).await }, classify).await
    }

    /// [`process`](Self::process) for a handler that is no future, such as that of a [`BaseConsumer`](rdkafka::consumer::BaseConsumer)'s
    /// loop.
    ///
    /// ```no_run
    /// use rdkafka::Message;
    /// use rdkafka::consumer::BaseConsumer;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # fn handle(_: Option<&[u8]>) -> std::io::Result<()> { Ok(()) }
    /// # fn example(consumer: BaseConsumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for message in TracedConsumer::new(consumer).iter() {
    ///     message?.process_blocking(|message| handle(message.payload()))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    pub fn process_blocking<H, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(M) -> Result<T, E>,
        E: Display + 'static,
    {
        let span = self.source.process(&self.message);
        let message = self.message;
        span.in_scope(|| handler(message))
    }

    /// Starts the span now and leaves it open until the message is finished with, for consumers that are so elsewhere or later.
    ///
    /// ```
    /// use traced_kafka::{Outcome, TracedConsumer};
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
    ///
    /// let message = consumer.wrap(order).start();
    /// assert_eq!(capture.open_spans().len(), 1);
    /// message.finish(Outcome::Ok);
    /// assert!(!capture.span("process orders").is_error());
    /// ```
    pub fn start(self) -> OpenMessage<M> {
        let span = self.source.process(&self.message);
        OpenMessage::new(self.message, span)
    }
}

impl TracedMessage<BorrowedMessage<'_>> {
    /// Copies the message out of the consumer's memory, for handlers that outlive the loop's turn. No span is made yet.
    ///
    /// ```no_run
    /// use rdkafka::consumer::StreamConsumer;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # async fn example(consumer: TracedConsumer<StreamConsumer>) -> Result<(), rdkafka::error::KafkaError> {
    /// let message = consumer.recv().await?;
    /// tokio::spawn(message.detach().process(async |_| Ok::<_, std::io::Error>(())));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn detach(&self) -> TracedMessage<OwnedMessage> {
        TracedMessage { message: self.message.detach(), source: Arc::clone(&self.source) }
    }
}

impl<M: Message> fmt::Debug for TracedMessage<M> {
    /// Key and payload are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracedMessage")
            .field("topic", &self.message.topic())
            .field("partition", &self.message.partition())
            .field("offset", &self.message.offset())
            .finish_non_exhaustive()
    }
}
