//! Processing many messages in one span.

use crate::source::Source;
use crate::{HeaderExtractor, NativeMessage, TracedConsumer, TracedMessage};
use opentelemetry::propagation::Extractor;
use std::fmt::Display;
use std::future::Future;
use traced_envelope::semconv::{
    DESTINATION_NAME, DESTINATION_PARTITION, KAFKA_MESSAGE_KEY, KAFKA_OFFSET, KAFKA_TOMBSTONE,
};
use traced_envelope::{Destination, Fact, MessageHeaders, MessageSpan, Operation, shared};

impl<T> TracedConsumer<T> {
    /// Runs the handler with many messages inside one span, which links each one's creation context (each once, at most 128) and
    /// carries no single message's baggage. What differs between the messages stands on their links: the offset always, partition,
    /// topic, and the key if it is asked for, where they are not the same for all.
    ///
    /// ```no_run
    /// use rdkafka::consumer::{CommitMode, StreamConsumer};
    /// use rdkafka::message::BorrowedMessage;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # async fn write_all(_: &[BorrowedMessage<'_>]) -> anyhow::Result<()> { Ok(()) }
    /// # async fn example(consumer: TracedConsumer<StreamConsumer>) -> anyhow::Result<()> {
    /// let mut messages = Vec::new();
    /// for _ in 0..100 {
    ///     messages.push(consumer.recv().await?);
    /// }
    /// consumer.process_batch(messages, async |messages| write_all(&messages).await).await?;
    /// consumer.commit_consumer_state(CommitMode::Async)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`TracedMessage::process`].
    pub async fn process_batch<M, H, F, O, E>(&self, messages: Vec<TracedMessage<M>>, handler: H) -> Result<O, E>
    where
        M: NativeMessage,
        H: FnOnce(Vec<M>) -> F,
        F: Future<Output = Result<O, E>>,
        E: Display + 'static,
    {
        let messages: Vec<M> = messages.into_iter().map(TracedMessage::into_inner).collect();
        let span = self.source.process_batch(&messages);
        span.run(async move { handler(messages).await }).await
    }

    /// [`process_batch`](Self::process_batch) for a handler that is no future.
    ///
    /// ```
    /// # use rdkafka::message::{OwnedMessage, Timestamp};
    /// use traced_kafka::TracedConsumer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let order = |offset| OwnedMessage::new(None, None, "orders".into(), Timestamp::NotAvailable, 0, offset, None);
    /// # let capture = Capture::new();
    /// # let consumer = TracedConsumer::with_settings((), &capture.settings("warehouse"));
    /// # let messages = vec![consumer.wrap(order(7)), consumer.wrap(order(8))];
    ///
    /// let stored = consumer.process_batch_blocking(messages, |messages| Ok::<_, std::io::Error>(messages.len()))?;
    /// assert_eq!(stored, 2);
    /// assert_eq!(capture.span("process orders").attribute("messaging.batch.message_count"), Some(&2.into()));
    /// # Ok::<_, std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    pub fn process_batch_blocking<M, H, O, E>(&self, messages: Vec<TracedMessage<M>>, handler: H) -> Result<O, E>
    where
        M: NativeMessage,
        H: FnOnce(Vec<M>) -> Result<O, E>,
        E: Display + 'static,
    {
        let messages: Vec<M> = messages.into_iter().map(TracedMessage::into_inner).collect();
        let span = self.source.process_batch(&messages);
        span.in_scope(|| handler(messages))
    }
}

impl Source {
    fn process_batch<M: NativeMessage>(&self, messages: &[M]) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let topic = shared(messages.iter().map(|message| message.topic()));
        // A partition's number means something only within its topic.
        let partition = topic.and_then(|_| shared(messages.iter().map(|message| message.partition())));
        let destination = match topic {
            Some(topic) => self.destination(topic),
            None => self.telemetry.prepare("process", Destination::default()),
        };
        let key = shared(messages.iter().map(|message| message.key()));
        let mut operation = Operation::new("process", &destination).batch(messages.len()).message_key(key.flatten());
        if let Some(partition) = partition {
            operation = operation.partition(partition);
        }
        let none = MessageHeaders::new();
        let facts: Vec<_> = messages
            .iter()
            .map(|message| (message.native_headers().map(HeaderExtractor), message.partition().to_string()))
            .collect();
        let messages = messages.iter().zip(&facts).map(|(message, (headers, number))| {
            let headers = headers.as_ref().map_or(&none as &dyn Extractor, |headers| headers);
            let mut own = Vec::with_capacity(5);
            if topic.is_none() {
                own.push((DESTINATION_NAME, Fact::Text(message.topic())));
            }
            if partition.is_none() {
                own.push((DESTINATION_PARTITION, Fact::Text(number)));
            }
            if key.is_none()
                && let Some(key) = self.telemetry.shown_key(message.key())
            {
                own.push((KAFKA_MESSAGE_KEY, Fact::Text(key)));
            }
            own.push((KAFKA_OFFSET, Fact::Number(message.offset())));
            if message.payload().is_none() {
                own.push((KAFKA_TOMBSTONE, Fact::Flag(true)));
            }
            (headers, own)
        });
        self.telemetry.process_batch(operation, messages)
    }
}
