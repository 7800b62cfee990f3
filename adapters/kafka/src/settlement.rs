//! Committing offsets, with a span for those who ask for one.

use crate::TracedConsumer;
use crate::error;
use crate::source::Source;
use opentelemetry::trace::SpanContext;
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, TopicPartitionList};
use traced_envelope::semconv::KAFKA_OFFSET;
use traced_envelope::{Destination, Operation, PreparedDestination, shared};

impl<T> TracedConsumer<T> {
    /// [`Consumer::commit_message`]. Where [`Settings::settle_spans`](traced_envelope::Settings::settle_spans) asks for it, the call is a
    /// span `commit {topic}`, which links the message. With [`CommitMode::Async`] it ends when librdkafka has taken the request: the broker's
    /// answer goes to [`ConsumerContext::commit_callback`].
    ///
    /// Committing through [`get_ref`](Self::get_ref), and storing offsets, makes no span.
    ///
    /// ```no_run
    /// use rdkafka::consumer::{CommitMode, StreamConsumer};
    /// use traced_kafka::TracedConsumer;
    ///
    /// # async fn example(consumer: TracedConsumer<StreamConsumer>) -> anyhow::Result<()> {
    /// let message = consumer.recv().await?;
    /// message
    ///     .process(async |message| consumer.commit_message(&message, CommitMode::Async)) // its span is a child
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, unchanged.
    pub fn commit_message<C>(&self, message: &BorrowedMessage<'_>, mode: CommitMode) -> KafkaResult<()>
    where
        T: Consumer<C>,
        C: ConsumerContext,
    {
        let native = || self.consumer.commit_message(message, mode);
        if !self.source.telemetry.makes_settle_spans() {
            return native();
        }
        let destination = self.source.destination(message.topic());
        let operation = Operation::new("commit", &destination)
            .partition(message.partition())
            .attribute(&KAFKA_OFFSET, message.offset());
        self.source.settle(operation, Some(self.source.creation(message)), native)
    }

    /// [`Consumer::commit`]. Its span, opt-in, is `commit {topic}` where all the offsets are of one topic, else `commit`.
    ///
    /// ```no_run
    /// use rdkafka::consumer::{BaseConsumer, CommitMode};
    /// use rdkafka::{Offset, TopicPartitionList};
    /// use traced_kafka::TracedConsumer;
    ///
    /// # fn example(consumer: TracedConsumer<BaseConsumer>) -> rdkafka::error::KafkaResult<()> {
    /// let mut offsets = TopicPartitionList::new();
    /// offsets.add_partition_offset("orders", 0, Offset::Offset(8))?; // the next one to read
    /// consumer.commit(&offsets, CommitMode::Sync)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, unchanged.
    pub fn commit<C>(&self, offsets: &TopicPartitionList, mode: CommitMode) -> KafkaResult<()>
    where
        T: Consumer<C>,
        C: ConsumerContext,
    {
        let native = || self.consumer.commit(offsets, mode);
        if !self.source.telemetry.makes_settle_spans() {
            return native();
        }
        let elements = offsets.elements();
        let topic = shared(elements.iter().map(|element| element.topic()));
        let destination = topic.map_or_else(|| self.source.nowhere(), |topic| self.source.destination(topic));
        let mut operation = Operation::new("commit", &destination);
        if let [only] = elements.as_slice() {
            operation = operation.partition(only.partition());
        }
        self.source.settle(operation, None, native)
    }

    /// [`Consumer::commit_consumer_state`]: what the consumer has stored. Its span, opt-in, is `commit`.
    ///
    /// ```no_run
    /// use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    /// use traced_kafka::TracedConsumer;
    ///
    /// # fn example(consumer: TracedConsumer<BaseConsumer>) -> rdkafka::error::KafkaResult<()> {
    /// consumer.get_ref().store_offset("orders", 0, 7)?; // with `enable.auto.offset.store=false`
    /// consumer.commit_consumer_state(CommitMode::Sync)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, unchanged.
    pub fn commit_consumer_state<C>(&self, mode: CommitMode) -> KafkaResult<()>
    where
        T: Consumer<C>,
        C: ConsumerContext,
    {
        let native = || self.consumer.commit_consumer_state(mode);
        if !self.source.telemetry.makes_settle_spans() {
            return native();
        }
        self.source.settle(Operation::new("commit", &self.source.nowhere()), None, native)
    }
}

impl Source {
    fn settle(
        &self,
        operation: Operation<'_>,
        settled: Option<SpanContext>,
        native: impl FnOnce() -> KafkaResult<()>,
    ) -> KafkaResult<()> {
        let span = self.telemetry.settle(operation, settled);
        span.in_scope_with(native, error::of_result)
    }

    /// The destination of what is about several topics.
    fn nowhere(&self) -> PreparedDestination {
        self.telemetry.prepare("commit", Destination::default())
    }
}
