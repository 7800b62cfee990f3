//! Sending a consumed message on: to a dead-letter exchange, to another queue, or back for another attempt.

use crate::attempt::{ATTEMPT_HEADER, DELIVERY_COUNT_HEADER};
use crate::{HeaderInjector, OpenDelivery, TracedProducer, error};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicPublishOptions};
use lapin::types::ShortString;
use opentelemetry::context::FutureExt;
use opentelemetry::propagation::Injector;
use traced_envelope::{Operation, Outcome};

impl TracedProducer {
    /// Publishes a consumed message to another exchange, with its payload and all its properties, and acknowledges the original once
    /// the broker has confirmed the copy.
    ///
    /// The message keeps its creation context, so that every attempt at it stays linked to its first publisher, and headers never pile up.
    /// The span is of kind CLIENT, below the current one (inside a handler: its process span), and links the creation context. Where the
    /// message carries no context, it gets the span's.
    ///
    /// The copy is published as `mandatory`, so that one that no queue takes comes back, unless
    /// [`mandatory_copies`](Self::mandatory_copies) says no, as it has to for delayed exchanges. On a channel without publisher confirms nobody
    /// answers, and the original is acknowledged at once. Not for messages of a consumer with `no_ack`, where the broker closes the channel on an
    /// acknowledgement: publish those with [`publish`](Self::publish). Of a delivery that was [started](crate::TracedDelivery::start), its span hears
    /// by [`OpenDelivery::republish`]. The header `x-attempt` of [`retry`](Self::retry) and a quorum queue's `x-delivery-count` stay behind: the
    /// next queue counts its own attempts, and one that is no quorum queue would hand the old count on for ever.
    ///
    /// ```no_run
    /// use lapin::message::Delivery;
    /// use traced_rabbitmq::TracedProducer;
    ///
    /// # async fn reserve(_: &[u8]) -> Result<(), String> { Ok(()) }
    /// # async fn handler(producer: &TracedProducer, delivery: Delivery) -> lapin::Result<()> {
    /// if reserve(&delivery.data).await.is_err() {
    ///     producer.republish(&delivery, "orders.dead".into(), delivery.routing_key.clone()).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, of publishing or of acknowledging. A copy that came back as unroutable is the protocol error that the broker gave as
    /// its reason, such as `NO_ROUTE`, and one that was answered by `nack` is `PRECONDITION_FAILED` and says so: with lapin's bare confirm, which
    /// is an `ack` in the first case, a `?` would pass over both. The original is then not acknowledged. If its channel is gone by then it
    /// cannot be, without an error: the broker delivers it again, beside the copy.
    ///
    /// # Cancel safety
    ///
    /// Dropped in the middle, the copy may have been published while the original is not acknowledged: the message is then there twice,
    /// never lost.
    pub async fn republish(
        &self,
        delivery: &Delivery,
        exchange: ShortString,
        routing_key: ShortString,
    ) -> lapin::Result<()> {
        self.send_copy(delivery, exchange, routing_key, String::new()).await?;
        delivery.acker.ack(BasicAckOptions::default()).await.map(|_| ())
    }

    /// The same, for another attempt: counts in the header `x-attempt`, which [`TracedDelivery::attempt`](crate::TracedDelivery::attempt)
    /// and the span attribute `traced.message.attempt` show. `attempt` is the number of the one that failed. `x-delivery-count` stays
    /// behind here too: `x-attempt` has counted what it says.
    ///
    /// ```no_run
    /// use traced_rabbitmq::{TracedDelivery, TracedProducer};
    ///
    /// # async fn reserve(_: &[u8]) -> anyhow::Result<()> { Ok(()) }
    /// # async fn example(producer: &TracedProducer, delivery: TracedDelivery) -> anyhow::Result<()> {
    /// let attempt = delivery.attempt();
    /// delivery
    ///     .process(async |delivery| {
    ///         let Err(error) = reserve(&delivery.data).await else {
    ///             delivery.ack(Default::default()).await?;
    ///             return Ok(());
    ///         };
    ///         if attempt < 3 {
    ///             producer.retry(&delivery, attempt, "".into(), "orders".into()).await?;
    ///         } else {
    ///             producer.republish(&delivery, "".into(), "orders.dead".into()).await?;
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
    pub async fn retry(
        &self,
        delivery: &Delivery,
        attempt: u32,
        exchange: ShortString,
        routing_key: ShortString,
    ) -> lapin::Result<()> {
        self.send_copy(delivery, exchange, routing_key, next(attempt)).await?;
        delivery.acker.ack(BasicAckOptions::default()).await.map(|_| ())
    }

    /// `attempt` is the header's text; empty, there is none.
    async fn send_copy(
        &self,
        delivery: &Delivery,
        exchange: ShortString,
        routing_key: ShortString,
        attempt: String,
    ) -> lapin::Result<()> {
        let mut properties = delivery.properties.clone();
        if !attempt.is_empty() || properties.headers().is_some() {
            let mut headers = properties.headers().clone().unwrap_or_default();
            HeaderInjector(&mut headers).set(ATTEMPT_HEADER, attempt);
            HeaderInjector(&mut headers).set(DELIVERY_COUNT_HEADER, String::new());
            properties = properties.with_headers(headers);
        }
        let destination = self.prepared("publish", exchange.as_str(), routing_key.as_str());
        let operation = Operation::new("publish", &destination).keep_existing();
        let (span, properties) = self.send(operation, &delivery.data, properties);
        let options = BasicPublishOptions { mandatory: self.mandatory_copies, ..BasicPublishOptions::default() };
        let confirm = self.hand_over(span, exchange, routing_key, options, &delivery.data, properties).await?;
        error::refused(confirm.await?)
    }
}

impl OpenDelivery {
    /// [`TracedProducer::republish`] of this delivery, inside its span, which ends with it: without an error when the original is
    /// acknowledged, else as the error of the copy or the acknowledgement.
    ///
    /// ```no_run
    /// use traced_rabbitmq::{TracedDelivery, TracedProducer};
    ///
    /// # async fn example(producer: &TracedProducer, delivery: TracedDelivery) -> lapin::Result<()> {
    /// let delivery = delivery.start();
    /// // ... it cannot be processed ...
    /// delivery.republish(producer, "orders.dead".into(), delivery.get_ref().routing_key.clone()).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TracedProducer::republish`].
    ///
    /// # Cancel safety
    ///
    /// As [`TracedProducer::republish`]; the span ends where the delivery is dropped, or settled after all.
    pub async fn republish(
        &self,
        producer: &TracedProducer,
        exchange: ShortString,
        routing_key: ShortString,
    ) -> lapin::Result<()> {
        self.send_on(producer, exchange, routing_key, String::new(), Outcome::Ok).await
    }

    /// [`TracedProducer::retry`] of this delivery, which knows its attempt itself, inside its span, which ends with it: as
    /// [deferred](Outcome::Deferred) when the original is acknowledged, else as the error of the copy or the acknowledgement.
    ///
    /// ```no_run
    /// use traced_rabbitmq::{TracedDelivery, TracedProducer};
    ///
    /// # async fn example(producer: &TracedProducer, delivery: TracedDelivery) -> lapin::Result<()> {
    /// let delivery = delivery.start();
    /// // ... something is not there yet ...
    /// delivery.retry(producer, "".into(), "orders".into()).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TracedProducer::republish`].
    ///
    /// # Cancel safety
    ///
    /// As [`republish`](Self::republish).
    pub async fn retry(
        &self,
        producer: &TracedProducer,
        exchange: ShortString,
        routing_key: ShortString,
    ) -> lapin::Result<()> {
        self.send_on(producer, exchange, routing_key, next(self.attempt()), Outcome::Deferred).await
    }

    async fn send_on(
        &self,
        producer: &TracedProducer,
        exchange: ShortString,
        routing_key: ShortString,
        attempt: String,
        outcome: Outcome,
    ) -> lapin::Result<()> {
        let original = self.get_ref();
        let copy = producer.send_copy(original, exchange, routing_key, attempt).with_context(self.context().clone());
        copy.await.inspect_err(|error| self.end(&error::of_error(error)))?;
        self.settle("ack", false, outcome, original.acker.ack(BasicAckOptions::default())).await.map(|_| ())
    }
}

fn next(attempt: u32) -> String {
    attempt.saturating_add(1).to_string()
}
