//! A delivery whose span waits for its acknowledgement.

use crate::attempt::attempt;
use crate::handing_over::handing_over;
use crate::settlement::of_sent;
use crate::source::Source;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use traced_envelope::{MessageSpan, Outcome, Ticket};

/// A delivery that is being processed: its span ends when it is acknowledged, rejected, or dropped.
///
/// | what happens | outcome of the span |
/// |---|---|
/// | [`ack`](Self::ack) | success |
/// | [`nack`](Self::nack), [`reject`](Self::reject) | error `nack` or `reject` |
/// | the same with `multiple` on a later delivery of the channel | the same |
/// | [`republish`](Self::republish), [`retry`](Self::retry) | success, or the error of the copy |
/// | lapin's error while settling | that error |
/// | settled before, or its channel is gone: lapin sends nothing and says `false` | error `not_settled` |
/// | dropped before | error `cancelled`; success for a [`no_ack`](crate::TracedConsumer::no_ack) consumer |
/// | the consumer's stream fails: its channel or connection is gone | error |
/// | longer than [`open_span_time_limit`](traced_envelope::Settings::open_span_time_limit) | error `timeout`, with the next call |
/// | more than [`open_span_limit`](traced_envelope::Settings::open_span_limit) of them | the oldest: error `cancelled` |
///
/// A settlement counts once it was polled: lapin sends it also where its future is dropped then.
///
/// AMQP's delivery tags and their `multiple` are the channel's, but lapin shows each consumer by itself: where several consumers of a channel
/// are acknowledged together, they share one register ([`TracedConsumer::with_open_spans`](crate::TracedConsumer::with_open_spans)). After a
/// recovered connection tags start again, and `multiple` settles none from before.
///
/// To acknowledge many at once by `multiple`, keep them until then, or let go of them with [`leave_open`](Self::leave_open).
///
/// ```no_run
/// use lapin::options::BasicAckOptions;
/// use opentelemetry::context::FutureExt;
///
/// # async fn store(_: &[u8]) {}
/// # async fn example(delivery: traced_rabbitmq::TracedDelivery) -> lapin::Result<()> {
/// let delivery = delivery.start();
/// store(&delivery.get_ref().data).with_context(delivery.context().clone()).await; // inside the span
/// delivery.ack(BasicAckOptions::default()).await?; // ends it
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "the span ends when this is dropped"]
pub struct OpenDelivery {
    delivery: Delivery,
    source: Arc<Source>,
    context: Context,
    /// After a recovered connection, another delivery has the same tag.
    ticket: Ticket,
    left_open: bool,
}

impl OpenDelivery {
    pub(crate) fn new(delivery: Delivery, source: Arc<Source>, span: MessageSpan) -> Self {
        let context = span.context().into_owned();
        let ticket = source.last_started.register(&source.open, &delivery, span);
        Self { delivery, source, context, ticket, left_open: false }
    }

    /// lapin's delivery.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::OpenDelivery;
    /// # async fn store(rows: &[u8]) -> usize { rows.len() }
    /// # async fn example(delivery: OpenDelivery) {
    /// let stored = store(&delivery.get_ref().data).await;
    /// assert!(stored > 0);
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Delivery {
        &self.delivery
    }

    /// The context of the span: attach it, or run futures with it, so that spans made meanwhile are children.
    ///
    /// ```no_run
    /// # use opentelemetry::{Context, trace::TraceContextExt};
    /// # use traced_rabbitmq::OpenDelivery;
    /// # fn example(delivery: OpenDelivery) {
    /// let _attached = delivery.context().clone().attach(); // for code that does not await
    /// assert!(Context::current().has_active_span()); // the parent of what is made here
    /// # }
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Which attempt at the message this is; see [`TracedDelivery::attempt`](crate::TracedDelivery::attempt).
    ///
    /// ```no_run
    /// # use lapin::options::BasicRejectOptions;
    /// # use traced_rabbitmq::{OpenDelivery, TracedProducer};
    /// # async fn example(delivery: OpenDelivery, producer: TracedProducer) -> lapin::Result<()> {
    /// if delivery.attempt() < 3 {
    ///     delivery.retry(&producer, "".into(), "inventory".into()).await?;
    /// } else {
    ///     assert!(delivery.reject(BasicRejectOptions::default()).await?); // to the queue's dead-letter exchange
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        attempt(&self.delivery, self.source.queue.as_str())
    }

    /// Lets go of the delivery while its span stays open, until a later delivery of the channel is settled with `multiple`.
    ///
    /// ```no_run
    /// # use lapin::options::BasicAckOptions;
    /// # use traced_rabbitmq::{TracedConsumer, TracedDelivery};
    /// # async fn example(first: TracedDelivery, last: TracedDelivery, consumer: TracedConsumer) -> lapin::Result<()> {
    /// first.start().leave_open();
    /// assert_eq!(consumer.open_spans().len(), 1);
    /// last.start().ack(BasicAckOptions { multiple: true }).await?; // ends both spans
    /// assert!(consumer.open_spans().is_empty());
    /// # Ok(()) }
    /// ```
    pub fn leave_open(mut self) {
        self.left_open = true;
    }

    /// [`Acker::ack`](lapin::Acker::ack), which ends the span; with `multiple`, those of all earlier deliveries of the channel too.
    ///
    /// ```no_run
    /// # use lapin::options::BasicAckOptions;
    /// # use traced_rabbitmq::OpenDelivery;
    /// # async fn example(delivery: OpenDelivery) -> lapin::Result<()> {
    /// let sent = delivery.ack(BasicAckOptions::default()).await?;
    /// assert!(sent, "its channel is gone: the message comes again");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged.
    pub async fn ack(&self, options: BasicAckOptions) -> lapin::Result<bool> {
        self.settle("ack", options.multiple, Outcome::Ok, self.delivery.acker.ack(options)).await
    }

    /// [`Acker::nack`](lapin::Acker::nack), which ends the span as an error `nack`.
    ///
    /// ```no_run
    /// # use lapin::options::BasicNackOptions;
    /// # use traced_rabbitmq::OpenDelivery;
    /// # async fn example(delivery: OpenDelivery) -> lapin::Result<()> {
    /// let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
    /// assert!(delivery.nack(again).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged.
    pub async fn nack(&self, options: BasicNackOptions) -> lapin::Result<bool> {
        let outcome = Outcome::error("nack", "not acknowledged");
        self.settle("nack", options.multiple, outcome, self.delivery.acker.nack(options)).await
    }

    /// [`Acker::reject`](lapin::Acker::reject), which ends the span as an error `reject`.
    ///
    /// ```no_run
    /// # use lapin::options::BasicRejectOptions;
    /// # use traced_rabbitmq::OpenDelivery;
    /// # async fn example(delivery: OpenDelivery) -> lapin::Result<()> {
    /// let never_again = BasicRejectOptions { requeue: false }; // dead-lettered, where the queue has an exchange for it
    /// assert!(delivery.reject(never_again).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged.
    pub async fn reject(&self, options: BasicRejectOptions) -> lapin::Result<bool> {
        let outcome = Outcome::error("reject", "rejected");
        self.settle("reject", false, outcome, self.delivery.acker.reject(options)).await
    }

    pub(crate) async fn settle(
        &self,
        operation: &'static str,
        multiple: bool,
        outcome: Outcome,
        call: impl Future<Output = lapin::Result<bool>>,
    ) -> lapin::Result<bool> {
        let settlement = self.source.settlement(&self.delivery);
        let mut ending = Ending { delivery: self, multiple, outcome: &outcome, sent: false };
        let call = settlement.run(operation, call).with_context(self.context.clone());
        let sent = handing_over(pin!(call), || ending.sent = true).await;
        // From here on it is not dropped in between.
        ending.sent = matches!(sent, Ok(true));
        drop(ending);
        // Nothing happens here where it has ended as sent.
        self.end(&of_sent(&sent, outcome));
        sent
    }

    pub(crate) fn end(&self, outcome: &Outcome) {
        self.source.open.end_only(self.delivery.delivery_tag, self.ticket, outcome);
    }
}

/// Ends the spans of what was settled, also where nobody waits until lapin has written it.
struct Ending<'a> {
    delivery: &'a OpenDelivery,
    multiple: bool,
    outcome: &'a Outcome,
    sent: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let OpenDelivery { delivery, source, .. } = self.delivery;
        match (self.sent, self.multiple) {
            (false, _) => {}
            (true, false) => self.delivery.end(self.outcome),
            (true, true) => source.open.end_through(delivery.delivery_tag, self.outcome),
        }
    }
}

impl Drop for OpenDelivery {
    fn drop(&mut self) {
        if !self.left_open {
            self.end(&if self.source.no_ack { Outcome::Ok } else { Outcome::cancelled() });
        }
    }
}
