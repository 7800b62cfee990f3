//! A message as handlers get it.

use redis::Msg;
use serde_core::de::Deserialize;
use std::fmt;
use std::ops::Range;
use traced_envelope::Envelope;

/// A message without its envelope.
///
/// ```
/// use traced_redis::redis::{Msg, Value};
/// use traced_redis::{Message, TracedConsumer};
///
/// let text = |text: &str| Value::BulkString(text.into());
/// let enveloped = r#"{"trace_context":{},"payload":{"id":42}}"#;
/// let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text(enveloped)]));
/// let message = TracedConsumer::new(()).wrap(native.unwrap());
/// let handler = |message: Message| Ok::<_, std::io::Error>(message.payload().to_vec());
/// assert_eq!(message.process_blocking(handler).unwrap(), br#"{"id":42}"#);
/// ```
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
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// # message.process_blocking(|message| {
    /// assert_eq!(message.payload(), b"{}");
    /// # Ok::<_, std::io::Error>(()) }).unwrap();
    /// ```
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
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// # message.process_blocking(|message| {
    /// assert_eq!(message.channel(), "orders");
    /// # Ok::<_, std::io::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn channel(&self) -> &str {
        self.message.get_channel_name()
    }

    /// redis' message, with the envelope.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// # message.process_blocking(|message| {
    /// assert!(!message.get_ref().from_pattern());
    /// # Ok::<_, std::io::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Msg {
        &self.message
    }

    /// Gives redis' message back, with the envelope.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native);
    /// # message.process_blocking(|message| {
    /// let native: traced_redis::redis::Msg = message.into_inner();
    /// assert_eq!(native.get_payload_bytes(), b"{}"); // it came bare
    /// # Ok::<_, std::io::Error>(()) }).unwrap();
    /// ```
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
