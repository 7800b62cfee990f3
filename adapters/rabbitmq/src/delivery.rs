//! A delivery and its process span.

use crate::attempt::attempt;
use crate::open_delivery::OpenDelivery;
use crate::settlement::not_sent;
use crate::source::Source;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use opentelemetry::Context;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use traced_envelope::{MessageSpan, Outcome};

/// A delivery that knows how to be processed inside a span.
///
/// The span starts when the handler does, not before. [`process`](Self::process) is the usual way; [`start`](Self::start) is for messages
/// that are acknowledged elsewhere.
///
/// ```no_run
/// # use lapin::options::BasicAckOptions;
/// # use traced_rabbitmq::TracedDelivery;
/// # async fn example(delivery: TracedDelivery) -> lapin::Result<()> {
/// assert_eq!(delivery.get_ref().exchange.as_str(), "orders"); // no span so far
/// let sent = delivery.process(async |delivery| delivery.ack(BasicAckOptions::default()).await).await?;
/// assert!(sent); // what the handler returned
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TracedDelivery {
    delivery: Delivery,
    source: Arc<Source>,
    /// How many messages are left in the queue, after a pull.
    pub(crate) message_count: Option<u32>,
}

impl TracedDelivery {
    pub(crate) fn new(delivery: Delivery, source: Arc<Source>) -> Self {
        Self { delivery, source, message_count: None }
    }

    /// lapin's delivery.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::TracedDelivery;
    /// # fn example(delivery: TracedDelivery) {
    /// let urgent = delivery.get_ref().properties.priority().unwrap_or(0) > 5; // to choose a handler by
    /// assert!(!urgent);
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Delivery {
        &self.delivery
    }

    /// Gives lapin's delivery back; no span is made.
    ///
    /// ```no_run
    /// # use lapin::options::BasicAckOptions;
    /// # use traced_rabbitmq::TracedDelivery;
    /// # async fn example(delivery: TracedDelivery) -> lapin::Result<()> {
    /// let heartbeat = delivery.into_inner(); // worth no span
    /// assert!(heartbeat.ack(BasicAckOptions::default()).await?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Delivery {
        self.delivery
    }

    /// How many messages are left in the queue; known only for a message that was pulled.
    ///
    /// ```no_run
    /// # use lapin::options::BasicGetOptions;
    /// # use traced_rabbitmq::PullConsumer;
    /// # async fn example(consumer: PullConsumer) -> lapin::Result<()> {
    /// if let Some(delivery) = consumer.basic_get("inventory".into(), BasicGetOptions::default()).await? {
    ///     let left = delivery.message_count(); // whether another pull is worth it
    ///     assert!(left.is_some());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn message_count(&self) -> Option<u32> {
        self.message_count
    }

    /// Which attempt at the message this is, 1 for the first: by `redelivered`, `x-delivery-count`, this queue's entries in `x-death`, and
    /// the header `x-attempt` of [`TracedProducer::retry`](crate::TracedProducer::retry).
    ///
    /// ```no_run
    /// # use lapin::options::BasicRejectOptions;
    /// # use traced_rabbitmq::TracedDelivery;
    /// # async fn example(delivery: TracedDelivery) -> lapin::Result<()> {
    /// if delivery.attempt() > 5 {
    ///     let reject = async |delivery: lapin::message::Delivery| delivery.reject(BasicRejectOptions::default()).await;
    ///     assert!(delivery.process(reject).await?); // to the queue's dead-letter exchange
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        attempt(&self.delivery, self.source.queue.as_str())
    }

    /// Runs the handler inside a span `process {exchange}:{routing key}:{queue}`; spans that it makes are children. Its result comes back
    /// unchanged and decides the span's status. The message is not settled: the handler does that, or the caller afterwards.
    ///
    /// A task that the handler spawns does not inherit the span's context; `with_current_context()` of OpenTelemetry's `FutureExt`
    /// carries it over:
    ///
    /// ```no_run
    /// use opentelemetry::context::FutureExt;
    ///
    /// # async fn index(_: Vec<u8>) {}
    /// # async fn example(delivery: traced_rabbitmq::TracedDelivery) -> lapin::Result<()> {
    /// delivery
    ///     .process(async |delivery| {
    ///         tokio::spawn(index(delivery.data).with_current_context()); // without it: a trace of its own
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropped, the handler is dropped and the span ends as `cancelled`; the message is not settled.
    pub async fn process<H, F, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let span = self.source.process(&self.delivery);
        let delivery = self.delivery;
        span.run(async move { handler(delivery).await }).await
    }

    /// The same for a handler whose output is no `Result`: `classify` says how it ended.
    ///
    /// ```no_run
    /// use traced_envelope::Outcome;
    ///
    /// # async fn store(_: &[u8]) -> usize { 1 }
    /// # async fn example(delivery: traced_rabbitmq::TracedDelivery) {
    /// let rows = delivery.process_with(async |delivery| store(&delivery.data).await, |rows| match rows {
    ///     0 => Outcome::error("nothing_stored", "no row was written"),
    ///     _ => Outcome::Ok,
    /// });
    /// assert_eq!(rows.await, 1);
    /// # }
    /// ```
    pub async fn process_with<H, F>(self, handler: H, classify: impl FnOnce(&F::Output) -> Outcome) -> F::Output
    where
        H: FnOnce(Delivery) -> F,
        F: Future,
    {
        let span = self.source.process(&self.delivery);
        let delivery = self.delivery;
        span.run_with(async move { handler(delivery).await }, classify).await
    }

    /// [`process`](Self::process), and settles the message: `Ok` acknowledges it; `Err` rejects it by `basic.nack`, without requeueing it
    /// unless [`TracedConsumer::requeue_on_error`](crate::TracedConsumer::requeue_on_error) says so. Where nothing is to be acknowledged
    /// ([`TracedConsumer::no_ack`](crate::TracedConsumer::no_ack), a pull with `no_ack`, a reply) nothing is sent. The handler must not
    /// settle the message itself, nor call [`retry`](crate::TracedProducer::retry) or [`republish`](crate::TracedProducer::republish), which do:
    /// those belong into [`process`](Self::process).
    ///
    /// ```no_run
    /// # use traced_rabbitmq::TracedDelivery;
    /// # async fn reserve(_: &[u8]) -> anyhow::Result<u32> { Ok(7) }
    /// # async fn example(delivery: TracedDelivery) -> anyhow::Result<()> {
    /// let reserved = delivery.process_and_settle(async |delivery| reserve(&delivery.data).await).await;
    /// assert_eq!(reserved?, 7); // and the message is acknowledged; where `reserve` failed, it is rejected
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged, also when the rejection fails; lapin's, if the handler succeeded but the acknowledgement failed. Where
    /// lapin sent no acknowledgement, because the message was settled before or its channel is gone, it says so by no error: the handler's
    /// output comes back, and the span is an error `not_settled`, since the broker may deliver the message again.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the message is not settled; the broker delivers it again when the channel is closed. Dropped while the acknowledgement is
    /// on its way, it is settled all the same; the span ends as `cancelled` in either case.
    pub async fn process_and_settle<H, F, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<lapin::Error> + Display + 'static,
    {
        let source = Arc::clone(&self.source);
        let telemetry = source.telemetry.clone();
        let handled = self.process_with(
            async move |delivery: Delivery| {
                let (acker, settlement) = (delivery.acker.clone(), source.settlement(&delivery));
                let result = handler(delivery).await;
                if source.no_ack {
                    // The broker closes a channel on an acknowledgement that it does not wait for.
                    return (result, true);
                }
                if result.is_ok() {
                    match settlement.run("ack", acker.ack(BasicAckOptions::default())).await {
                        Ok(sent) => (result, sent),
                        Err(error) => (Err(error.into()), false),
                    }
                } else {
                    let options = BasicNackOptions { requeue: source.requeue_on_error, multiple: false };
                    // The handler's error says more than one of settling.
                    settlement.run("nack", acker.nack(options)).await.ok();
                    (result, true)
                }
            },
            |(result, settled)| match telemetry.outcome(result) {
                Outcome::Ok if !settled => not_sent(),
                outcome => outcome,
            },
        );
        handled.await.0
    }

    /// The span, begun, and the delivery: for lapin's delegates. lapin calls those from its own thread, or from inside `set_delegate` with
    /// what was fetched before, whose current span has nothing to do with the messages.
    pub(crate) fn into_parts(self) -> (MessageSpan, Delivery) {
        let _of_nobody = Context::new().attach();
        (self.source.process(&self.delivery), self.delivery)
    }

    /// Starts the span now and leaves it open until the message is acknowledged, for consumers that do so elsewhere or later.
    ///
    /// ```no_run
    /// # use lapin::options::BasicAckOptions;
    /// # use traced_rabbitmq::TracedDelivery;
    /// # async fn example(delivery: TracedDelivery) -> anyhow::Result<()> {
    /// let delivery = delivery.start();
    /// let elsewhere = tokio::spawn(async move { delivery.ack(BasicAckOptions::default()).await }); // ends the span
    /// assert!(elsewhere.await??);
    /// # Ok(()) }
    /// ```
    pub fn start(self) -> OpenDelivery {
        let span = self.source.process(&self.delivery);
        OpenDelivery::new(self.delivery, self.source, span)
    }
}
