//! Sending to one topic often.

use crate::base_producer::Queued;
use crate::{TracedContext, TracedDeliveryFuture, TracedProducer};
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{BaseRecord, FutureProducer, FutureRecord, Partitioner, ProducerContext, ThreadedProducer};
use rdkafka::util::{AsyncRuntime, Timeout};
use std::fmt;
use traced_envelope::PreparedDestination;

/// A topic to which records are sent often; made by [`TracedProducer::destination`].
///
/// Its `send` is [`TracedProducer`]'s. A record for another topic goes there, only without the shortcut.
#[derive(Clone)]
pub struct TracedDestination<P = FutureProducer> {
    producer: TracedProducer<P>,
    prepared: PreparedDestination,
}

impl<P> TracedDestination<P> {
    pub(crate) fn new(producer: TracedProducer<P>, prepared: PreparedDestination) -> Self {
        Self { producer, prepared }
    }

    fn prepared(&self, topic: &str) -> PreparedDestination {
        if topic == self.prepared.name() { self.prepared.clone() } else { self.producer.prepared("send", topic) }
    }
}

impl<C, R> TracedDestination<FutureProducer<C, R>>
where
    C: ClientContext + 'static,
    R: AsyncRuntime,
{
    /// [`TracedProducer::send`] to this topic.
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    pub async fn send<K, P, T>(&self, record: FutureRecord<'_, K, P>, queue_timeout: T) -> OwnedDeliveryResult
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
        T: Into<Timeout>,
    {
        self.producer.send_to(self.prepared(record.topic), record, queue_timeout.into()).await
    }

    /// [`TracedProducer::send_result`] to this topic.
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send_result<'a, K, P>(
        &self,
        record: FutureRecord<'a, K, P>,
    ) -> Result<TracedDeliveryFuture, (KafkaError, FutureRecord<'a, K, P>)>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        self.producer.queue(&self.prepared(record.topic), record)
    }
}

impl<C, Part> TracedDestination<ThreadedProducer<TracedContext<C>, Part>>
where
    C: ProducerContext<Part> + 'static,
    Part: Partitioner,
{
    /// [`TracedProducer::send`] to this topic.
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send<'a, K, P>(&self, record: BaseRecord<'a, K, P, C::DeliveryOpaque>) -> Queued<'a, K, P, C::DeliveryOpaque>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let send = |record| self.producer.producer.send(record);
        self.producer.queue_by(&self.prepared(record.topic), record, send)
    }
}

impl<P> fmt::Debug for TracedDestination<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracedDestination")
            .field("producer", &self.producer)
            .field("prepared", &self.prepared)
            .finish()
    }
}
