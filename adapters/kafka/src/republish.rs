//! Sending a consumed message on: to a dead-letter topic, to another topic, or back for another attempt.

use crate::attempt::ATTEMPT_HEADER;
use crate::future_producer::{QueueTimeout, outgoing};
use crate::{HeaderInjector, NativeMessage, TracedProducer};
use opentelemetry::propagation::Injector;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedHeaders;
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::{AsyncRuntime, Timeout};
use traced_envelope::Operation;

impl<C, R> TracedProducer<FutureProducer<C, R>>
where
    C: ClientContext + 'static,
    R: AsyncRuntime,
{
    /// Sends a consumed message to another topic, with its key, its payload and all its headers as they are, and waits for the delivery
    /// report. Its offset is not committed: the caller does that afterwards, when the copy is safe.
    ///
    /// The message keeps its creation context, so that every attempt at it stays linked to its first producer, and headers never pile up.
    /// The span is of kind CLIENT, below the current one (inside a handler: its process span), and links the creation context. Where the
    /// message carries no usable context, it gets the span's.
    ///
    /// The copy's timestamp is the time at which it is sent, not the original's: a topic that keeps messages for a while would lose an old
    /// one at once, and the time that it waits is counted from here. Its partition is chosen anew, by the key. The header `x-attempt`
    /// of [`retry`](Self::retry) stays behind: the next topic counts its own attempts.
    ///
    /// ```no_run
    /// use rdkafka::Message;
    /// use rdkafka::consumer::{CommitMode, StreamConsumer};
    /// use traced_kafka::{TracedConsumer, TracedProducer};
    ///
    /// # async fn reserve(_: Option<&[u8]>) -> anyhow::Result<()> { Ok(()) }
    /// # async fn example(consumer: TracedConsumer<StreamConsumer>, producer: TracedProducer) -> anyhow::Result<()> {
    /// let message = consumer.recv().await?;
    /// message
    ///     .process(async |message| {
    ///         if reserve(message.payload()).await.is_err() {
    ///             producer.republish(&message, "orders.dead").await?;
    ///         }
    ///         consumer.commit_message(&message, CommitMode::Async)
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, of queueing or of the delivery report. The message is then to be looked at again: do not commit it.
    ///
    /// # Cancel safety
    ///
    /// Dropped in the middle, the copy may have been sent while the original is not committed: the message is then there twice, never
    /// lost.
    pub async fn republish<M: NativeMessage>(&self, message: &M, topic: &str) -> KafkaResult<Delivery> {
        self.send_on(message, topic, String::new()).await
    }

    /// The same, for another attempt: counts in the header `x-attempt`, which [`TracedMessage::attempt`](crate::TracedMessage::attempt)
    /// and the span attribute `traced.message.attempt` show. `attempt` is the number of the one that failed.
    ///
    /// ```no_run
    /// use rdkafka::Message;
    /// use rdkafka::message::OwnedMessage;
    /// use traced_kafka::{TracedMessage, TracedProducer};
    ///
    /// # async fn reserve(_: Option<&[u8]>) -> anyhow::Result<()> { Ok(()) }
    /// # async fn example(producer: &TracedProducer, message: TracedMessage<OwnedMessage>) -> anyhow::Result<()> {
    /// let attempt = message.attempt();
    /// message
    ///     .process(async |message| {
    ///         let Err(error) = reserve(message.payload()).await else { return Ok(()) };
    ///         if attempt < 3 {
    ///             producer.retry(&message, attempt, "orders").await?;
    ///         } else {
    ///             producer.republish(&message, "orders.dead").await?;
    ///         }
    ///         Err(error) // the span is an error, the message is not lost
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`republish`](Self::republish).
    ///
    /// # Cancel safety
    ///
    /// As [`republish`](Self::republish).
    pub async fn retry<M: NativeMessage>(&self, message: &M, attempt: u32, topic: &str) -> KafkaResult<Delivery> {
        self.send_on(message, topic, attempt.saturating_add(1).to_string()).await
    }

    /// `attempt` is the header's text; empty, there is none.
    async fn send_on<M: NativeMessage>(&self, message: &M, topic: &str, attempt: String) -> KafkaResult<Delivery> {
        let mut headers = message.native_headers().map(BorrowedHeaders::detach);
        HeaderInjector(&mut headers).set(ATTEMPT_HEADER, attempt);
        let (payload, key) = (message.payload(), message.key());
        let mut record = FutureRecord { topic, partition: None, payload, key, timestamp: None, headers };
        let destination = self.prepared("send", topic);
        let operation = Operation::new("send", &destination).keep_existing();
        let described = outgoing(&record);
        let (mut span, _) = self.inject(operation, described, &mut record.headers, |operation, headers| {
            self.telemetry().send(operation, headers)
        });
        match self.queue_until(record, &QueueTimeout::start(Timeout::Never)).await {
            Ok(delivery) => {
                span.handed_over();
                // Without a report the producer is gone. It cannot happen: we hold it.
                let Ok(delivery) = delivery.await else { return Err(KafkaError::Canceled) };
                span.delivered(&delivery);
                delivery.map_err(|(error, _)| error)
            }
            Err((error, _)) => {
                span.refused(&error);
                Err(error)
            }
        }
    }
}
