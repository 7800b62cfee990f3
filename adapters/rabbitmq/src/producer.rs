//! Publishing with a span for each message.

use crate::confirm::TracedConfirm;
use crate::handing_over::handing_over;
use crate::{HeaderInjector, TracedDestination, destination, error, injection};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel};
use std::pin::pin;
use traced_envelope::{MessageSpan, Operation, PreparedDestination, Settings, Status, Telemetry};

/// A channel that publishes with a span for each message, whose context travels in the message's headers.
///
/// ```no_run
/// use lapin::{BasicProperties, Channel, options::{BasicPublishOptions, ConfirmSelectOptions}};
/// use traced_rabbitmq::TracedProducer;
///
/// # async fn example(channel: Channel) -> lapin::Result<()> {
/// channel.confirm_select(ConfirmSelectOptions::default()).await?; // else nobody answers
/// let producer = TracedProducer::new(channel);
/// let confirmation = producer
///     .publish(
///         "orders".into(),
///         "order.created".into(),
///         BasicPublishOptions::default(),
///         b"{}",
///         BasicProperties::default(),
///     )
///     .await? // handed to the broker
///     .await?; // answered by the broker: the span ends
/// assert!(confirmation.is_ack());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TracedProducer {
    channel: Channel,
    telemetry: Telemetry,
    pub(crate) mandatory_copies: bool,
}

impl TracedProducer {
    /// Publishes over this channel, with the process-wide providers and propagator.
    ///
    /// ```no_run
    /// # use lapin::Channel;
    /// # use traced_rabbitmq::TracedProducer;
    /// # use traced_rabbitmq::envelope::Status;
    /// # fn example(channel: Channel) {
    /// let producer = TracedProducer::new(channel.clone()); // publishes over the same channel
    /// assert_eq!(producer.status(), Status::NoMessageYet);
    /// # }
    /// ```
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self::with_settings(channel, &Settings::default())
    }

    /// Publishes over this channel, with settings of its own.
    ///
    /// ```no_run
    /// # use lapin::{BasicProperties, Channel, options::BasicPublishOptions};
    /// # use traced_rabbitmq::TracedProducer;
    /// # use traced_rabbitmq::envelope::testing::Capture;
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    /// # let capture = Capture::new();
    /// let settings = capture.settings("shop").server("rabbit.example.com", 5672); // lapin does not tell
    /// let producer = TracedProducer::with_settings(channel, &settings);
    /// producer.publish("orders".into(), "order.created".into(), options, b"{}", properties).await?.await?;
    /// let span = capture.span("publish orders:order.created");
    /// assert_eq!(span.attribute("server.address"), Some(&"rabbit.example.com".into()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_settings(channel: Channel, settings: &Settings) -> Self {
        Self { channel, telemetry: crate::telemetry(settings), mandatory_copies: true }
    }

    /// Whether [`republish`](Self::republish) and [`retry`](Self::retry) publish as `mandatory`, so that a copy that no queue takes comes back
    /// and its original is kept. Default: yes.
    ///
    /// Switch it off for an exchange of RabbitMQ's plugin `rabbitmq_delayed_message_exchange` (type `x-delayed-message`): while the message
    /// waits there no queue has it, so that the broker says `NO_ROUTE` of each mandatory one, and delivers it later all the same. The
    /// original would stay, beside its copy.
    ///
    /// ```no_run
    /// use lapin::message::Delivery;
    /// use traced_rabbitmq::TracedProducer;
    ///
    /// # async fn handler(producer: &TracedProducer, delivery: Delivery, attempt: u32) -> lapin::Result<()> {
    /// let delayed = producer.clone().mandatory_copies(false); // shares what was prepared
    /// delayed.retry(&delivery, attempt, "orders.delayed".into(), delivery.routing_key.clone()).await
    /// # }
    /// ```
    #[must_use]
    pub fn mandatory_copies(mut self, mandatory: bool) -> Self {
        self.mandatory_copies = mandatory;
        self
    }

    /// The channel.
    ///
    /// ```no_run
    /// # use lapin::options::ConfirmSelectOptions;
    /// # use traced_rabbitmq::TracedProducer;
    /// # async fn example(producer: TracedProducer) -> lapin::Result<()> {
    /// producer.get_ref().confirm_select(ConfirmSelectOptions::default()).await?;
    /// assert!(producer.get_ref().status().confirm()); // the broker answers each publish
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Channel {
        &self.channel
    }

    /// Gives the channel back.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::TracedProducer;
    /// # async fn example(producer: TracedProducer) -> lapin::Result<()> {
    /// let channel = producer.into_inner();
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
    /// # use lapin::{BasicProperties, options::BasicPublishOptions};
    /// # use traced_rabbitmq::TracedProducer;
    /// # use traced_rabbitmq::envelope::Status;
    /// # async fn example(producer: TracedProducer) -> lapin::Result<()> {
    /// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    /// producer.publish("orders".into(), "order.created".into(), options, b"{}", properties).await?.await?;
    /// assert_eq!(producer.status(), Status::Active, "install a tracer provider first");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.telemetry.status()
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// [`Channel::basic_publish`], inside a span `publish {exchange}:{routing key}` whose context replaces one that the properties
    /// carry.
    ///
    /// The returned future is the broker's answer, as with lapin: the span ends when it is there. Not to await it is no error; the
    /// span then ends where it is dropped. Without publisher confirms the span ends when the returned future is awaited or dropped.
    ///
    /// ```no_run
    /// # use lapin::{BasicProperties, options::BasicPublishOptions};
    /// # use traced_rabbitmq::TracedProducer;
    /// # async fn example(producer: TracedProducer) -> lapin::Result<()> {
    /// let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    /// let properties = BasicProperties::default().with_message_id("order-42".into()); // the span has it too
    /// let confirm = producer.publish("orders".into(), "order.created".into(), options, b"{}", properties).await?;
    /// let returned = confirm.await?.take_message(); // the span ends
    /// assert!(returned.is_none(), "no queue took it");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged; the span has it as status and `error.type`.
    ///
    /// # Cancel safety
    ///
    /// As lapin's: the message is on its way once this was polled. Dropped after that, it is sent all the same, and the span ends there,
    /// without an error.
    pub async fn publish(
        &self,
        exchange: ShortString,
        routing_key: ShortString,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<TracedConfirm> {
        let destination = self.prepared("publish", exchange.as_str(), routing_key.as_str());
        self.publish_to(&destination, exchange, routing_key, options, payload, properties).await
    }

    /// Prepares an exchange and a routing key: what is the same for all messages is worked out once.
    ///
    /// ```no_run
    /// use lapin::{BasicProperties, Channel, options::BasicPublishOptions};
    /// use traced_rabbitmq::TracedProducer;
    ///
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// let producer = TracedProducer::new(channel);
    /// let created = producer.destination("orders".into(), "order.created".into());
    /// for order in [&b"1"[..], b"2"] {
    ///     created.publish(BasicPublishOptions::default(), order, BasicProperties::default()).await?.await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn destination(&self, exchange: ShortString, routing_key: ShortString) -> TracedDestination {
        let prepared = self.prepared("publish", exchange.as_str(), routing_key.as_str());
        TracedDestination::new(self.clone(), exchange, routing_key, prepared)
    }

    pub(crate) fn prepared(&self, operation: &'static str, exchange: &str, routing_key: &str) -> PreparedDestination {
        destination::prepared(&self.telemetry, operation, exchange, routing_key)
    }

    pub(crate) async fn publish_to(
        &self,
        destination: &PreparedDestination,
        exchange: ShortString,
        routing_key: ShortString,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<TracedConfirm> {
        let (span, properties) = self.send(Operation::new("publish", destination), payload, properties);
        self.hand_over(span, exchange, routing_key, options, payload, properties).await
    }

    /// Starts the span and puts its context into the properties.
    pub(crate) fn send(
        &self,
        operation: Operation<'_>,
        payload: &[u8],
        properties: BasicProperties,
    ) -> (MessageSpan, BasicProperties) {
        injection::send(&self.telemetry, operation, payload, properties)
    }

    /// Starts a span by `start`, which writes its context into the properties.
    pub(crate) fn inject(
        &self,
        operation: Operation<'_>,
        payload: &[u8],
        properties: BasicProperties,
        start: impl FnOnce(Operation<'_>, &mut HeaderInjector<'_>) -> MessageSpan,
    ) -> (MessageSpan, BasicProperties) {
        injection::inject(&self.telemetry, operation, payload, properties, start)
    }

    pub(crate) async fn hand_over(
        &self,
        mut span: MessageSpan,
        exchange: ShortString,
        routing_key: ShortString,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<TracedConfirm> {
        let call = pin!(self.channel.basic_publish(exchange, routing_key, options, payload, properties));
        match handing_over(call, || span.handed_over()).await {
            Ok(confirm) => Ok(TracedConfirm::new(confirm, span)),
            Err(error) => {
                span.end(error::of_error(&error));
                Err(error)
            }
        }
    }
}
