//! Consuming with a span for each message.

use crate::TracedDelivery;
use crate::error;
use crate::source::Source;
use futures_core::Stream;
use lapin::Consumer;
use lapin::message::DeliveryResult;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use traced_envelope::{OpenSpans, Settings, Status};

/// lapin's consumer, whose deliveries are processed inside spans.
///
/// A message has no span before the application gets it and processes it: fetching ahead costs nothing.
///
/// ```no_run
/// use lapin::{Channel, options::BasicAckOptions, options::BasicConsumeOptions, types::FieldTable};
/// use traced_rabbitmq::TracedConsumer;
///
/// # async fn reserve(_: &[u8]) -> lapin::Result<()> { Ok(()) }
/// # async fn example(channel: Channel) -> lapin::Result<()> {
/// let consumer =
///     channel.basic_consume("inventory".into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
/// let mut consumer = TracedConsumer::new(consumer.await?);
/// while let Some(delivery) = consumer.next().await {
///     delivery?
///         .process(async |delivery| {
///             reserve(&delivery.data).await?; // spans made here are children
///             delivery.ack(BasicAckOptions::default()).await
///         })
///         .await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TracedConsumer {
    pub(crate) consumer: Consumer,
    pub(crate) source: Arc<Source>,
}

impl TracedConsumer {
    /// Wraps a consumer, with the process-wide providers and propagator.
    ///
    /// ```no_run
    /// # use lapin::{Channel, options::BasicConsumeOptions, types::FieldTable};
    /// # use traced_rabbitmq::TracedConsumer;
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// # let options = BasicConsumeOptions::default();
    /// let consumer = channel.basic_consume("inventory".into(), "".into(), options, FieldTable::default()).await?;
    /// let consumer = TracedConsumer::new(consumer);
    /// assert_eq!(consumer.get_ref().queue().as_str(), "inventory"); // spans have it in their names
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(consumer: Consumer) -> Self {
        Self::with_settings(consumer, &Settings::default())
    }

    /// Wraps a consumer, with settings of its own.
    ///
    /// ```no_run
    /// # use lapin::Consumer;
    /// # use traced_rabbitmq::TracedConsumer;
    /// # use traced_rabbitmq::envelope::testing::Capture;
    /// # async fn example(consumer: Consumer) -> lapin::Result<()> {
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").settle_spans(true); // how long acknowledging takes
    /// let mut consumer = TracedConsumer::with_settings(consumer, &settings);
    /// if let Some(delivery) = consumer.next().await {
    ///     delivery?.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await?;
    /// }
    /// assert!(!capture.span("ack orders:order.created:inventory").is_error());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_settings(consumer: Consumer, settings: &Settings) -> Self {
        let source = Arc::new(Source::of_queue(consumer.queue(), settings));
        Self { consumer, source }
    }

    /// Says that the consumer was made with `no_ack`: lapin does not tell. The broker then forgets a message when it has sent it, and a
    /// span that was started by [`TracedDelivery::start`] ends without an error when its delivery is dropped.
    ///
    /// ```no_run
    /// # use lapin::{Channel, options::BasicConsumeOptions, types::FieldTable};
    /// # use traced_rabbitmq::TracedConsumer;
    /// # use traced_rabbitmq::envelope::testing::Capture;
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// # let capture = Capture::new();
    /// # let settings = capture.settings("warehouse");
    /// let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    /// let consumer = channel.basic_consume("inventory".into(), "".into(), options, FieldTable::default()).await?;
    /// let mut consumer = TracedConsumer::with_settings(consumer, &settings).no_ack();
    /// if let Some(delivery) = consumer.next().await {
    ///     drop(delivery?.start());
    ///     assert!(!capture.span("process orders:order.created:inventory").is_error()); // else: `cancelled`
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn no_ack(mut self) -> Self {
        self.source = Arc::new(Source { no_ack: true, ..(*self.source).clone() });
        self
    }

    /// Whether [`TracedDelivery::process_and_settle`] puts a message whose handler failed back into its queue, to be delivered again.
    /// Default: no, so that it is dead-lettered or dropped.
    ///
    /// ```no_run
    /// # use lapin::Consumer;
    /// # use traced_rabbitmq::TracedConsumer;
    /// # async fn example(consumer: Consumer) -> anyhow::Result<()> {
    /// let mut consumer = TracedConsumer::new(consumer).requeue_on_error(true);
    /// if let Some(delivery) = consumer.next().await {
    ///     let handler = async |_| anyhow::bail!("the stock is being counted");
    ///     let result: anyhow::Result<()> = delivery?.process_and_settle(handler).await;
    ///     assert!(result.is_err()); // and the message will be delivered again
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn requeue_on_error(mut self, requeue: bool) -> Self {
        self.source = Arc::new(Source { requeue_on_error: requeue, ..(*self.source).clone() });
        self
    }

    /// Shares the register of spans that wait for an acknowledgement with another consumer of the same channel: delivery tags are the
    /// channel's, so that an acknowledgement of `multiple` messages settles those of all its consumers.
    ///
    /// ```no_run
    /// # use lapin::Consumer;
    /// # use traced_rabbitmq::TracedConsumer;
    /// # async fn example(orders: Consumer, refunds: Consumer) -> lapin::Result<()> {
    /// let mut orders = TracedConsumer::new(orders);
    /// let refunds = TracedConsumer::new(refunds).with_open_spans(orders.open_spans().clone()); // of one channel
    /// if let Some(delivery) = orders.next().await {
    ///     let order = delivery?.start();
    ///     assert_eq!(refunds.open_spans().len(), 1); // a later refund's `multiple` settles this order too
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_open_spans(mut self, open: OpenSpans) -> Self {
        self.source = Arc::new(Source { open, ..(*self.source).clone() });
        self
    }

    /// The register of spans that wait for an acknowledgement.
    ///
    /// ```no_run
    /// # use lapin::options::BasicAckOptions;
    /// # use traced_rabbitmq::TracedConsumer;
    /// # async fn example(mut consumer: TracedConsumer) -> lapin::Result<()> {
    /// if let Some(delivery) = consumer.next().await {
    ///     let delivery = delivery?.start();
    ///     assert_eq!(consumer.open_spans().len(), 1); // not yet the moment to close the channel
    ///     delivery.ack(BasicAckOptions::default()).await?;
    ///     assert!(consumer.open_spans().is_empty());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn open_spans(&self) -> &OpenSpans {
        &self.source.open
    }

    /// lapin's consumer.
    ///
    /// ```no_run
    /// # use lapin::{Channel, options::BasicCancelOptions};
    /// # use traced_rabbitmq::TracedConsumer;
    /// # async fn example(channel: Channel, mut consumer: TracedConsumer) -> lapin::Result<()> {
    /// channel.basic_cancel(consumer.get_ref().tag(), BasicCancelOptions::default()).await?;
    /// while let Some(delivery) = consumer.next().await {
    ///     delivery?.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await?; // what was fetched before
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Consumer {
        &self.consumer
    }

    /// Gives lapin's consumer back.
    ///
    /// ```no_run
    /// # use lapin::Consumer;
    /// # use traced_rabbitmq::TracedConsumer;
    /// # fn example(consumer: TracedConsumer) {
    /// let consumer: Consumer = consumer.into_inner(); // its deliveries are lapin's, without spans
    /// assert_eq!(consumer.queue().as_str(), "inventory");
    /// # }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Consumer {
        self.consumer
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::TracedConsumer;
    /// # use traced_rabbitmq::envelope::Status;
    /// # async fn example(mut consumer: TracedConsumer) -> lapin::Result<()> {
    /// if let Some(delivery) = consumer.next().await {
    ///     delivery?.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await?;
    ///     assert_eq!(consumer.status(), Status::Active, "install a tracer provider first");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.source.telemetry.status()
    }

    /// The next message, or `None` when the consumer was cancelled: the stream's `next`, without a trait to import.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::TracedConsumer;
    /// # async fn store(rows: &[u8]) -> lapin::Result<usize> { Ok(rows.len()) }
    /// # async fn example(mut consumer: TracedConsumer) -> lapin::Result<()> {
    /// while let Some(delivery) = consumer.next().await {
    ///     let delivery = delivery?; // an error says that the channel is gone
    ///     let stored = delivery.process_and_settle(async |delivery| store(&delivery.data).await).await?;
    ///     assert!(stored > 0);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has lost no message.
    pub async fn next(&mut self) -> Option<lapin::Result<TracedDelivery>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }
}

impl Stream for TracedConsumer {
    type Item = lapin::Result<TracedDelivery>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.consumer).poll_next(task));
        Poll::Ready(self.source.wrap(next.transpose()).transpose())
    }
}

impl Source {
    /// When the stream fails, nothing of its channel can be acknowledged any more. When it only ends, because its consumer was cancelled,
    /// all that was delivered still can: a graceful shutdown cancels, finishes and acknowledges.
    pub(crate) fn wrap(self: &Arc<Self>, delivery: DeliveryResult) -> lapin::Result<Option<TracedDelivery>> {
        match &delivery {
            Ok(_) => self.open.end_expired(),
            Err(error) => self.open.end_all(&error::of_error(error)),
        }
        Ok(delivery?.map(|delivery| TracedDelivery::new(delivery, Arc::clone(self))))
    }
}
