//! A message whose span waits for its end.

use crate::Message;
use opentelemetry::Context;
use std::fmt;
use traced_envelope::{MessageSpan, Outcome};

/// A message that is being processed: its span ends when it is finished, or dropped.
///
/// Nothing of Redis' pub/sub is acknowledged, so that no call of the client says that a message is done with. [`finish`](Self::finish)
/// does; what is dropped before is an error `cancelled`.
///
/// ```no_run
/// use opentelemetry::context::FutureExt;
/// use traced_redis::{Outcome, TracedMessage};
///
/// # async fn store(_: &[u8]) {}
/// # async fn example(message: TracedMessage) {
/// let message = message.start();
/// store(message.get_ref().payload()).with_context(message.context().clone()).await; // inside the span
/// message.finish(Outcome::Ok); // ends it
/// # }
/// ```
#[must_use = "the span ends when this is dropped"]
pub struct OpenMessage {
    message: Message,
    span: MessageSpan,
    context: Context,
}

impl OpenMessage {
    pub(crate) fn new(message: Message, span: MessageSpan) -> Self {
        let context = span.context().into_owned();
        Self { message, span, context }
    }

    /// The message without its envelope.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native).start();
    /// assert_eq!(message.get_ref().payload(), b"{}");
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Message {
        &self.message
    }

    /// The context of the span: attach it, or run futures with it, so that spans made meanwhile are children.
    ///
    /// ```
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native).start();
    /// let inside = message.context().clone().attach(); // spans made meanwhile are children
    /// drop(inside);
    /// assert!(!message.context().is_telemetry_suppressed());
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Ends the span, and gives the message back.
    ///
    /// ```
    /// use traced_redis::Outcome;
    /// # use traced_redis::TracedConsumer;
    /// # use traced_redis::redis::{Msg, Value};
    /// # let text = |text: &str| Value::BulkString(text.into());
    /// # let native = Msg::from_owned_value(Value::Array(vec![text("message"), text("orders"), text("{}")])).unwrap();
    /// # let message = TracedConsumer::new(()).wrap(native).start();
    ///
    /// let message = message.finish(Outcome::Ok);
    /// assert_eq!(message.channel(), "orders");
    /// ```
    pub fn finish(self, outcome: Outcome) -> Message {
        self.span.end(outcome);
        self.message
    }
}

impl fmt::Debug for OpenMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenMessage").field("message", &self.message).field("span", &self.span).finish()
    }
}
