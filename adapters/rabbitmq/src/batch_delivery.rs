//! Processing many deliveries in one span.

use crate::source::tag;
use crate::{HeaderExtractor, TracedConsumer, TracedDelivery};
use lapin::message::Delivery;
use lapin::types::FieldTable;
use opentelemetry::propagation::Extractor;
use std::fmt::Display;
use std::future::Future;
use traced_envelope::semconv::{MESSAGE_ID, RABBITMQ_DELIVERY_TAG};
use traced_envelope::{Fact, Operation, shared};

impl TracedConsumer {
    /// Runs the handler with many deliveries inside one span, which links each one's creation context (each once, at most 128) and
    /// carries no single message's baggage. What differs between the messages stands on their links.
    ///
    /// ```no_run
    /// use lapin::message::Delivery;
    /// use lapin::options::BasicAckOptions;
    /// use traced_rabbitmq::{TracedConsumer, TracedDelivery};
    ///
    /// # async fn write_all(_: &[Delivery]) {}
    /// # async fn example(consumer: TracedConsumer, deliveries: Vec<TracedDelivery>) -> lapin::Result<()> {
    /// consumer
    ///     .process_batch(deliveries, async |deliveries| {
    ///         write_all(&deliveries).await;
    ///         match deliveries.last() {
    ///             Some(last) => last.ack(BasicAckOptions { multiple: true }).await,
    ///             None => Ok(false),
    ///         }
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`TracedDelivery::process`].
    pub async fn process_batch<H, F, T, E>(&self, deliveries: Vec<TracedDelivery>, handler: H) -> Result<T, E>
    where
        H: FnOnce(Vec<Delivery>) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let source = &self.source;
        let deliveries: Vec<Delivery> = deliveries.into_iter().map(TracedDelivery::into_inner).collect();
        let route = shared(deliveries.iter().map(|delivery| (&delivery.exchange, &delivery.routing_key)));
        let destination = match deliveries.first().filter(|_| route.is_some()) {
            Some(first) => source.destination(first),
            // A value that all messages share stands on the span: here it is the queue.
            None => source.queue_alone(),
        };
        let span = {
            let none = FieldTable::default();
            let headers = deliveries
                .iter()
                .map(|delivery| HeaderExtractor(delivery.properties.headers().as_ref().unwrap_or(&none)));
            let headers: Vec<_> = headers.collect();
            let messages = deliveries.iter().zip(&headers).map(|(delivery, headers)| {
                let mut own = vec![(RABBITMQ_DELIVERY_TAG, Fact::Number(tag(delivery)))];
                let id = delivery.properties.message_id().as_ref();
                own.extend(id.map(|id| (MESSAGE_ID, Fact::Text(id.as_str()))));
                (headers as &dyn Extractor, own)
            });
            let operation = Operation::new("process", &destination).batch(deliveries.len());
            source.telemetry.process_batch(operation, messages)
        };
        span.run(async move { handler(deliveries).await }).await
    }
}
