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
    #[must_use]
    pub fn get_ref(&self) -> &M {
        &self.message
    }

    /// The context of the span: attach it, or run futures with it, so that spans made meanwhile are children.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Ends the span, and gives rdkafka's message back.
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
