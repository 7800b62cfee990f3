//! Messages as futures and as a stream.

use crate::{TracedConsumer, TracedMessage};
use futures_core::Stream;
use rdkafka::consumer::{ConsumerContext, MessageStream, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

impl<C: ConsumerContext + 'static, R> TracedConsumer<StreamConsumer<C, R>> {
    /// [`StreamConsumer::recv`]: the next message. Where
    /// [`Settings::receive_spans`](traced_envelope::Settings::receive_spans) asks for it, the wait for it is a span.
    ///
    /// ```no_run
    /// use rdkafka::consumer::StreamConsumer;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # async fn example(consumer: TracedConsumer<StreamConsumer>) -> anyhow::Result<()> {
    /// let message = consumer.recv().await?;
    /// message.process(async |_| Ok::<_, anyhow::Error>(())).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As rdkafka's: dropped, it has lost no message.
    pub async fn recv(&self) -> KafkaResult<TracedMessage<BorrowedMessage<'_>>> {
        let started = SystemTime::now();
        let message = self.consumer.recv().await?;
        Ok(self.received(message, started))
    }

    /// [`StreamConsumer::stream`]: the messages as a stream, which never ends.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    /// use rdkafka::consumer::StreamConsumer;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # async fn example(consumer: TracedConsumer<StreamConsumer>) -> anyhow::Result<()> {
    /// let mut messages = consumer.stream();
    /// while let Some(message) = messages.next().await {
    ///     message?.process(async |_| Ok::<_, anyhow::Error>(())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn stream(&self) -> TracedMessageStream<'_, C, R> {
        TracedMessageStream { consumer: self, stream: self.consumer.stream(), asked: None }
    }
}

/// rdkafka's stream of messages, made by [`TracedConsumer::stream`].
///
/// ```no_run
/// use futures_util::StreamExt;
/// use rdkafka::consumer::ConsumerContext;
/// use traced_kafka::TracedMessageStream;
///
/// async fn skip<C: ConsumerContext + 'static, R>(messages: TracedMessageStream<'_, C, R>, count: usize) {
///     assert_eq!(messages.take(count).count().await, count); // skipped messages have no span
/// }
/// ```
#[must_use = "streams do nothing unless they are polled"]
pub struct TracedMessageStream<'a, C: ConsumerContext, R> {
    consumer: &'a TracedConsumer<StreamConsumer<C, R>>,
    stream: MessageStream<'a, C>,
    /// Since when the application waits for the next message.
    asked: Option<SystemTime>,
}

impl<'a, C: ConsumerContext + 'static, R> Stream for TracedMessageStream<'a, C, R> {
    type Item = KafkaResult<TracedMessage<BorrowedMessage<'a>>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let asked = *self.asked.get_or_insert_with(SystemTime::now);
        let next = ready!(Pin::new(&mut self.stream).poll_next(task));
        self.asked = None;
        Poll::Ready(next.map(|message| Ok(self.consumer.received(message?, asked))))
    }
}

impl<C: ConsumerContext, R> fmt::Debug for TracedMessageStream<'_, C, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedMessageStream").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}
