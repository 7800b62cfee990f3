//! A message whose span waits for its end.

use opentelemetry::Context;
use rdkafka::Message;
use std::fmt;
use traced_envelope::{MessageSpan, Outcome};

/// A message that is being processed: its span ends when it is finished, or dropped.
///
/// Kafka acknowledges by offsets, of many messages at once and often by itself, so that no call of the client says that one message is
/// done with. [`finish`](Self::finish) does; what is dropped before is an error `cancelled`.
///
/// ```no_run
/// use opentelemetry::context::FutureExt;
/// use rdkafka::consumer::{CommitMode, StreamConsumer};
/// use traced_kafka::{Outcome, TracedConsumer};
///
/// # async fn store<T>(_: T) {}
/// # async fn example(consumer: TracedConsumer<StreamConsumer>) -> Result<(), rdkafka::error::KafkaError> {
/// let message = consumer.recv().await?.start();
/// store(message.get_ref()).with_context(message.context().clone()).await; // inside the span
/// let message = message.finish(Outcome::Ok); // ends it
/// consumer.commit_message(&message, CommitMode::Async)?;
/// # Ok(()) }
/// ```
#[must_use = "the span ends when this is dropped"]
pub struct OpenMessage<M> {
    message: M,
    span: MessageSpan,
    context: Context,
}

impl<M> OpenMessage<M> {
    pub(crate) fn new(message: M, span: MessageSpan) -> Self {
        let context = span.context().into_owned();
        Self { message, span, context }
    }

    /// rdkafka's message.
    ///
    /// ```
    /// use rdkafka::Message;
    /// # use traced_kafka::TracedConsumer;
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # let consumer = TracedConsumer::new(());
    ///
    /// let message = consumer.wrap(order).start();
    /// assert_eq!(message.get_ref().offset(), 7);
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &M {
        &self.message
    }

    /// The context of the span: attach it, or run futures with it, so that spans made meanwhile are children.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_kafka::{Outcome, TracedConsumer};
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
    ///
    /// let message = consumer.wrap(order).start();
    /// drop(capture.tracer("warehouse").start_with_context("reserve stock", message.context()));
    /// message.finish(Outcome::Ok);
    /// capture.assert_trace("
    ///     process orders    warehouse  CONSUMER
    ///     └─ reserve stock  warehouse  INTERNAL
    /// ");
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Ends the span, and gives rdkafka's message back.
    ///
    /// ```
    /// use rdkafka::Message;
    /// use traced_kafka::{Outcome, TracedConsumer};
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// # let order = OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, 7, None);
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
    ///
    /// let message = consumer.wrap(order).start();
    /// let order = message.finish(Outcome::error("sold_out", "nothing is left"));
    /// assert_eq!(order.offset(), 7);
    /// assert_eq!(capture.span("process orders").attribute("error.type"), Some(&"sold_out".into()));
    /// ```
    pub fn finish(self, outcome: Outcome) -> M {
        self.span.end(outcome);
        self.message
    }
}

impl<M: Message> fmt::Debug for OpenMessage<M> {
    /// Key and payload are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenMessage")
            .field("topic", &self.message.topic())
            .field("partition", &self.message.partition())
            .field("offset", &self.message.offset())
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
