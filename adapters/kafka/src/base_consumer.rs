//! Messages by polling, in synchronous code.

use crate::{TracedConsumer, TracedMessage};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::util::Timeout;
use std::fmt;
use std::time::SystemTime;

impl<C: ConsumerContext> TracedConsumer<BaseConsumer<C>> {
    /// [`BaseConsumer::poll`]: the next message, or `None` when there was none within the time. Where
    /// [`Settings::receive_spans`](traced_envelope::Settings::receive_spans) asks for it, a poll that brought a message is a span.
    ///
    /// ```no_run
    /// use rdkafka::consumer::BaseConsumer;
    /// use std::time::Duration;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # fn example(consumer: BaseConsumer) -> anyhow::Result<()> {
    /// let consumer = TracedConsumer::new(consumer);
    /// if let Some(message) = consumer.poll(Duration::from_secs(1)) {
    ///     message?.process_blocking(|_| Ok::<_, anyhow::Error>(()))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, unchanged.
    pub fn poll(&self, timeout: impl Into<Timeout>) -> Option<KafkaResult<TracedMessage<BorrowedMessage<'_>>>> {
        self.poll_since(SystemTime::now(), timeout.into())
    }

    /// [`BaseConsumer::iter`]: polls without a time limit, for ever. See [`TracedMessage::process_blocking`] for an example.
    ///
    /// ```no_run
    /// use rdkafka::Message;
    /// use rdkafka::consumer::BaseConsumer;
    /// use traced_kafka::TracedConsumer;
    ///
    /// # fn example(consumer: TracedConsumer<BaseConsumer>) -> rdkafka::error::KafkaResult<()> {
    /// for message in consumer.iter().take(100) {
    ///     let message = message?;
    ///     assert_eq!(message.get_ref().topic(), "orders");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn iter(&self) -> TracedIter<'_, C> {
        TracedIter(self)
    }

    fn poll_since(
        &self,
        started: SystemTime,
        timeout: Timeout,
    ) -> Option<KafkaResult<TracedMessage<BorrowedMessage<'_>>>> {
        let message = self.consumer.poll(timeout)?;
        Some(message.map(|message| self.received(message, started)))
    }
}

impl<'a, C: ConsumerContext> IntoIterator for &'a TracedConsumer<BaseConsumer<C>> {
    type Item = KafkaResult<TracedMessage<BorrowedMessage<'a>>>;
    type IntoIter = TracedIter<'a, C>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An iterator over messages, made by [`TracedConsumer::iter`].
///
/// ```no_run
/// use rdkafka::consumer::ConsumerContext;
/// use traced_kafka::TracedIter;
///
/// fn skip<C: ConsumerContext>(messages: &mut TracedIter<'_, C>, count: usize) {
///     assert_eq!(messages.take(count).count(), count); // skipped messages have no span
/// }
/// ```
#[must_use = "iterators do nothing unless they are advanced"]
pub struct TracedIter<'a, C: ConsumerContext>(&'a TracedConsumer<BaseConsumer<C>>);

impl<'a, C: ConsumerContext> Iterator for TracedIter<'a, C> {
    type Item = KafkaResult<TracedMessage<BorrowedMessage<'a>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let started = SystemTime::now();
        loop {
            // `None` without a time limit: an event of another kind was served.
            if let Some(message) = self.0.poll_since(started, Timeout::Never) {
                return Some(message);
            }
        }
    }
}

impl<C: ConsumerContext> fmt::Debug for TracedIter<'_, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("TracedIter").field(&self.0).finish()
    }
}
