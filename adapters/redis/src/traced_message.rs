//! A message with its process span.

use crate::Message;
use crate::open_message::OpenMessage;
use crate::source::Source;
use redis::Msg;
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use traced_envelope::{Envelope, Outcome};

/// A message that knows how to be processed inside a span.
///
/// The span starts when the handler does, not before. [`process`](Self::process) is the usual way; [`start`](Self::start) is for messages
/// that are done with elsewhere. It is the message's own, so that it can be given to another task as it is.
///
/// ```no_run
/// use traced_redis::{TracedConsumer, TracedMessage};
///
/// # fn reserve(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
/// # fn example(mut consumer: TracedConsumer<redis::PubSub<'_>>) -> redis::RedisResult<()> {
/// let message: TracedMessage = consumer.get_message()?;
/// std::thread::spawn(move || message.process_blocking(|message| reserve(message.payload())));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TracedMessage {
    message: Msg,
    source: Arc<Source>,
}

impl TracedMessage {
    pub(crate) fn new(message: Msg, source: Arc<Source>) -> Self {
        Self { message, source }
    }

    /// redis' message, with the envelope.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// assert_eq!(message.get_ref().get_channel_name(), "orders");
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Msg {
        &self.message
    }

    /// Gives redis' message back, with the envelope; no span is made.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// assert_eq!(message.into_inner().get_payload_bytes(), b"{}");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Msg {
        self.message
    }

    /// The payload, for those who look at it before they process the message: each call opens the envelope. The handler's
    /// [`Message`] has it opened.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// assert_eq!(*message.payload(), *b"{}");
    /// ```
    #[must_use]
    pub fn payload(&self) -> Cow<'_, [u8]> {
        Envelope::decode(self.message.get_payload_bytes(), self.source.accepted()).into_payload()
    }

    /// The channel that the message was published to; `?` if its name is not UTF-8, as redis has it.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// assert_eq!(message.channel(), "orders");
    /// ```
    #[must_use]
    pub fn channel(&self) -> &str {
        self.message.get_channel_name()
    }

    /// Runs the handler inside a span `process {channel}`, or `process {pattern}` for a message that came through a pattern; spans that
    /// it makes are children. Its result comes back unchanged and decides the span's status.
    ///
    /// A task that the handler spawns does not inherit the span's context; `with_current_context()` of OpenTelemetry's `FutureExt`
    /// carries it over:
    ///
    /// ```no_run
    /// use opentelemetry::context::FutureExt;
    /// use traced_redis::TracedMessage;
    ///
    /// # async fn index(_: Vec<u8>) {}
    /// # async fn example(message: TracedMessage) -> Result<(), std::io::Error> {
    /// message
    ///     .process(async |message| {
    ///         let payload = message.payload().to_vec();
    ///         tokio::spawn(index(payload).with_current_context()); // without it: a trace of its own
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// The message itself can be processed in another task:
    ///
    /// ```no_run
    /// # async fn example(message: traced_redis::TracedMessage) {
    /// tokio::spawn(message.process(async |_| Ok::<_, std::io::Error>(())));
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
        H: FnOnce(Message) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let (span, message) = self.source.process(self.message);
        span.run(async move { handler(message).await }).await
    }

    /// The same for a handler whose output is no `Result`: `classify` says how it ended.
    ///
    /// ```no_run
    /// use traced_redis::{Outcome, TracedMessage};
    ///
    /// # async fn store(_: &[u8]) -> usize { 1 }
    /// # async fn example(message: TracedMessage) {
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
        H: FnOnce(Message) -> F,
        F: Future,
    {
        let (span, message) = self.source.process(self.message);
        span.run_with(async move { handler(message).await }, classify).await
    }

    /// [`process`](Self::process) for a handler that is no future, such as that of a synchronous connection's loop.
    ///
    /// ```no_run
    /// use traced_redis::TracedConsumer;
    ///
    /// # fn handle(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(mut connection: redis::Connection) -> redis::RedisResult<()> {
    /// let mut subscription = connection.as_pubsub();
    /// subscription.subscribe("orders")?;
    /// let mut consumer = TracedConsumer::new(subscription);
    /// loop {
    ///     consumer.get_message()?.process_blocking(|message| handle(message.payload()))?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    pub fn process_blocking<H, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(Message) -> Result<T, E>,
        E: Display + 'static,
    {
        let (span, message) = self.source.process(self.message);
        span.in_scope(|| handler(message))
    }

    /// Starts the span now and leaves it open until the message is finished with, for consumers that are so elsewhere or later.
    ///
    /// ```
    /// use traced_redis::Outcome;
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let capture = traced_redis::envelope::testing::Capture::new();
    /// # let message = TracedConsumer::with_settings((), &capture.settings("warehouse")).wrap(native);
    ///
    /// message.start().finish(Outcome::error("closed", "the warehouse is closed"));
    /// capture.assert_trace("process orders  warehouse  CONSUMER  ✗");
    /// ```
    pub fn start(self) -> OpenMessage {
        let (span, message) = self.source.process(self.message);
        OpenMessage::new(message, span)
    }
}

impl fmt::Debug for TracedMessage {
    /// The payload is left out: it is the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedMessage").field("channel", &self.channel()).finish_non_exhaustive()
    }
}
