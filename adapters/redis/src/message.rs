//! A message as handlers get it, and the message with its process span.

use crate::open_message::OpenMessage;
use crate::source::Source;
use redis::Msg;
use serde_core::de::Deserialize;
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use traced_envelope::{Envelope, Outcome};

/// A message without its envelope.
#[derive(Clone)]
pub struct Message {
    message: Msg,
    payload: Place,
}

/// Where the payload is.
#[derive(Clone)]
pub(crate) enum Place {
    /// In the message: nothing was copied.
    In(Range<usize>),
    /// It had to be decoded: Base64, or escapes, in a CloudEvent.
    Decoded(Vec<u8>),
}

impl Place {
    pub(crate) fn of(envelope: Envelope<'_>) -> Self {
        match envelope.payload_range() {
            Some(range) => Self::In(range),
            None => Self::Decoded(envelope.into_payload().into_owned()),
        }
    }
}

impl Message {
    /// The message, and where [its envelope's payload](Place::of) is.
    pub(crate) const fn new(message: Msg, payload: Place) -> Self {
        Self { message, payload }
    }

    /// The payload as it was published. It lies in redis' message, unless it had to be decoded.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let whole = self.message.get_payload_bytes();
        match &self.payload {
            Place::In(range) => whole.get(range.clone()).unwrap_or(whole),
            Place::Decoded(payload) => payload,
        }
    }

    /// Reads the payload as JSON.
    ///
    /// ```no_run
    /// use traced_redis::Message;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Order {
    ///     id: u64,
    /// }
    ///
    /// # fn example(message: &Message) -> serde_json::Result<()> {
    /// let order: Order = message.json()?;
    /// assert_eq!(order.id, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `serde_json`'s, for a payload that is no JSON or has no such value.
    pub fn json<'m, T: Deserialize<'m>>(&'m self) -> serde_json::Result<T> {
        serde_json::from_slice(self.payload())
    }

    /// The channel that the message was published to; `?` if its name is not UTF-8, as redis has it.
    #[must_use]
    pub fn channel(&self) -> &str {
        self.message.get_channel_name()
    }

    /// redis' message, with the envelope.
    #[must_use]
    pub fn get_ref(&self) -> &Msg {
        &self.message
    }

    /// Gives redis' message back, with the envelope.
    #[must_use]
    pub fn into_inner(self) -> Msg {
        self.message
    }
}

impl fmt::Debug for Message {
    /// The payload is left out: it is the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Message").field("channel", &self.channel()).finish_non_exhaustive()
    }
}

/// A message that knows how to be processed inside a span.
///
/// The span starts when the handler does, not before. [`process`](Self::process) is the usual way; [`start`](Self::start) is for messages
/// that are done with elsewhere. It is the message's own, so that it can be given to another task as it is.
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
    #[must_use]
    pub fn get_ref(&self) -> &Msg {
        &self.message
    }

    /// Gives redis' message back, with the envelope; no span is made.
    #[must_use]
    pub fn into_inner(self) -> Msg {
        self.message
    }

    /// The payload, for those who look at it before they process the message: each call opens the envelope. The handler's
    /// [`Message`] has it opened.
    #[must_use]
    pub fn payload(&self) -> Cow<'_, [u8]> {
        Envelope::decode(self.message.get_payload_bytes(), self.source.accepted()).into_payload()
    }

    /// The channel that the message was published to; `?` if its name is not UTF-8, as redis has it.
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
