//! Pulling messages one by one.

use crate::source::{Source, of_delivery};
use crate::{HeaderExtractor, TracedDelivery, error};
use lapin::Channel;
use lapin::options::BasicGetOptions;
use lapin::types::{FieldTable, ShortString};
use opentelemetry::trace::TraceContextExt;
use std::sync::Arc;
use std::time::SystemTime;
use traced_envelope::{OpenSpans, Outcome, Settings, Status};

/// A channel from which messages are pulled by `basic.get`.
///
/// Under [`Relation::Auto`](traced_envelope::Relation::Auto) a span that is active around the processing stays its parent, and the
/// message's creation context is linked: whoever asks for one message does so for a reason of their own.
///
/// ```no_run
/// use lapin::{Channel, options::BasicGetOptions};
/// use traced_rabbitmq::PullConsumer;
///
/// # async fn example(channel: Channel) -> lapin::Result<()> {
/// let consumer = PullConsumer::new(channel);
/// while let Some(delivery) = consumer.basic_get("inventory".into(), BasicGetOptions::default()).await? {
///     delivery.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PullConsumer {
    channel: Channel,
    template: Source,
}

impl PullConsumer {
    /// Pulls over this channel, with the process-wide providers and propagator.
    ///
    /// ```no_run
    /// # use lapin::Channel;
    /// # use traced_rabbitmq::PullConsumer;
    /// # use traced_rabbitmq::envelope::Status;
    /// # fn example(channel: Channel) {
    /// let consumer = PullConsumer::new(channel); // of any queue: each pull names its own
    /// assert_eq!(consumer.status(), Status::NoMessageYet);
    /// # }
    /// ```
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self::with_settings(channel, &Settings::default())
    }

    /// Pulls over this channel, with settings of its own.
    ///
    /// ```no_run
    /// # use lapin::{Channel, options::BasicGetOptions};
    /// # use traced_rabbitmq::PullConsumer;
    /// # use traced_rabbitmq::envelope::testing::Capture;
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").receive_spans(true); // how long pulling takes
    /// let consumer = PullConsumer::with_settings(channel, &settings);
    /// if consumer.basic_get("inventory".into(), BasicGetOptions::default()).await?.is_some() {
    ///     assert_eq!(capture.span("receive orders:order.created:inventory").service(), "warehouse");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_settings(channel: Channel, settings: &Settings) -> Self {
        let template = Source { pulled: true, ..Source::of_queue(ShortString::default(), settings) };
        Self { channel, template }
    }

    /// The channel.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::PullConsumer;
    /// # fn example(consumer: PullConsumer) {
    /// assert!(consumer.get_ref().status().connected()); // else a pull fails
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Channel {
        &self.channel
    }

    /// Gives the channel back.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::PullConsumer;
    /// # async fn example(consumer: PullConsumer) -> lapin::Result<()> {
    /// let channel = consumer.into_inner();
    /// channel.close(200, "shutting down".into()).await?;
    /// assert!(!channel.status().connected());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Channel {
        self.channel
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```no_run
    /// # use lapin::options::BasicGetOptions;
    /// # use traced_rabbitmq::PullConsumer;
    /// # use traced_rabbitmq::envelope::Status;
    /// # async fn example(consumer: PullConsumer) -> lapin::Result<()> {
    /// if let Some(delivery) = consumer.basic_get("inventory".into(), BasicGetOptions::default()).await? {
    ///     delivery.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await?;
    ///     assert_eq!(consumer.status(), Status::Active, "install a tracer provider first");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.template.telemetry.status()
    }

    /// Whether [`TracedDelivery::process_and_settle`] puts a message whose handler failed back into its queue; see
    /// [`TracedConsumer::requeue_on_error`](crate::TracedConsumer::requeue_on_error). Default: no.
    ///
    /// ```no_run
    /// # use lapin::{Channel, options::BasicGetOptions};
    /// # use traced_rabbitmq::PullConsumer;
    /// # async fn example(channel: Channel) -> anyhow::Result<()> {
    /// let consumer = PullConsumer::new(channel).requeue_on_error(true);
    /// if let Some(delivery) = consumer.basic_get("inventory".into(), BasicGetOptions::default()).await? {
    ///     let handler = async |_| anyhow::bail!("the stock is being counted");
    ///     let result: anyhow::Result<()> = delivery.process_and_settle(handler).await;
    ///     assert!(result.is_err()); // and the message is in its queue again
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn requeue_on_error(mut self, requeue: bool) -> Self {
        self.template.requeue_on_error = requeue;
        self
    }

    /// Shares the register of spans that wait for an acknowledgement with a consumer of the same channel; see
    /// [`TracedConsumer::with_open_spans`](crate::TracedConsumer::with_open_spans).
    ///
    /// ```no_run
    /// use lapin::Consumer;
    /// use traced_rabbitmq::{PullConsumer, TracedConsumer, lapin::Channel};
    ///
    /// # fn example(channel: Channel, consumer: Consumer) {
    /// let consumer = TracedConsumer::new(consumer); // of this channel
    /// let pulling = PullConsumer::new(channel).with_open_spans(consumer.open_spans().clone());
    /// assert!(pulling.open_spans().is_empty());
    /// # }
    /// ```
    #[must_use]
    pub fn with_open_spans(mut self, open: OpenSpans) -> Self {
        self.template.open = open;
        self
    }

    /// The register of spans that wait for an acknowledgement; see [`TracedConsumer::with_open_spans`](crate::TracedConsumer::with_open_spans).
    ///
    /// ```no_run
    /// # use lapin::options::BasicGetOptions;
    /// # use traced_rabbitmq::PullConsumer;
    /// # async fn example(consumer: PullConsumer) -> lapin::Result<()> {
    /// if let Some(delivery) = consumer.basic_get("inventory".into(), BasicGetOptions::default()).await? {
    ///     let delivery = delivery.start();
    ///     assert_eq!(consumer.open_spans().len(), 1); // not yet the moment to close the channel
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn open_spans(&self) -> &OpenSpans {
        &self.template.open
    }

    /// [`Channel::basic_get`]. A pull that brought a message makes a receive span where
    /// [`Settings::receive_spans`](traced_envelope::Settings::receive_spans) asks for it; an empty one makes none.
    ///
    /// ```no_run
    /// # use lapin::options::BasicGetOptions;
    /// # use traced_rabbitmq::PullConsumer;
    /// # async fn example(consumer: PullConsumer) -> lapin::Result<()> {
    /// let pulled = consumer.basic_get("inventory".into(), BasicGetOptions::default()).await?;
    /// let Some(delivery) = pulled else { return Ok(()) }; // the queue is empty
    /// let size = delivery.process_and_settle(async |delivery| Ok::<_, lapin::Error>(delivery.data.len())).await?;
    /// assert!(size > 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged. The broker closes the channel with it, so that the open spans end with it too.
    ///
    /// # Cancel safety
    ///
    /// As lapin's: a message that arrives after this was dropped stays unacknowledged until the channel is closed.
    pub async fn basic_get(
        &self,
        queue: ShortString,
        options: BasicGetOptions,
    ) -> lapin::Result<Option<TracedDelivery>> {
        let started = SystemTime::now();
        self.template.open.end_expired();
        let pulled = self.channel.basic_get(queue.clone(), options).await;
        // The broker answers a bad `basic.get` by closing the channel (AMQP 0-9-1, "Exceptions"): nothing of it can be acknowledged any more.
        let pulled = pulled.inspect_err(|error| self.template.open.end_all(&error::of_error(error)));
        let Some(message) = pulled? else { return Ok(None) };
        let source = Arc::new(Source { queue, no_ack: options.no_ack, ..self.template.clone() });
        let destination = source.destination(&message.delivery);
        let none = FieldTable::default();
        let headers = message.delivery.properties.headers().as_ref().unwrap_or(&none);
        // Looked for only where there is a receive span.
        let creation = || source.telemetry.extract(&HeaderExtractor(headers)).span().span_context().clone();
        source
            .telemetry
            .receive(of_delivery("receive", &destination, &message.delivery), started, std::iter::once_with(creation))
            .end(Outcome::Ok);
        let mut delivery = TracedDelivery::new(message.delivery, source);
        delivery.message_count = Some(message.message_count);
        Ok(Some(delivery))
    }
}
