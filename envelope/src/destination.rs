//! Where messages go to and come from, as an adapter describes it.

use crate::semconv::Name;

/// Where messages go to or come from, as an adapter describes it.
///
/// ```
/// use traced_envelope::{Destination, Settings, Telemetry, semconv};
///
/// let telemetry = Telemetry::new("nats", &Settings::default());
/// let orders = Destination::new("orders").attribute(&semconv::CLIENT_ID, "shop-1");
/// let prepared = telemetry.prepare("publish", orders);
/// assert_eq!(prepared.span_name(), "publish orders");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Destination {
    pub(crate) name: String,
    pub(crate) template: Option<String>,
    pub(crate) anonymous: bool,
    pub(crate) temporary: bool,
    pub(crate) consumer_group: Option<String>,
    pub(crate) attributes: Vec<(Name, String)>,
}

impl Destination {
    /// A destination of this name; an empty name is left out of the telemetry.
    ///
    /// ```
    /// use traced_envelope::{Destination, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// assert_eq!(telemetry.prepare("publish", Destination::new("orders")).span_name(), "publish orders");
    /// assert_eq!(telemetry.prepare("publish", Destination::new("")).span_name(), "publish");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The low-cardinality form of the name, which stands for it in span names and metrics; a template of the application's goes
    /// before it.
    ///
    /// ```
    /// use traced_envelope::{Destination, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let inbox = Destination::new("user.7").template("user.{id}");
    /// assert_eq!(telemetry.prepare("publish", inbox).span_name(), "publish user.{id}");
    /// ```
    #[must_use]
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.template = Some(template.into());
        self
    }

    /// Whether the name was made up; see [`is_anonymous`](crate::is_anonymous).
    ///
    /// ```
    /// use traced_envelope::{Destination, MessageHeaders, Operation, Telemetry, is_anonymous, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("rabbitmq", &capture.settings("shop"));
    /// let name = "amq.gen-JzTY20BRgKO-HjmUJj0wLg";
    /// let replies = telemetry.prepare("publish", Destination::new(name).anonymous(is_anonymous(name)));
    /// drop(telemetry.send(Operation::new("publish", &replies), &mut MessageHeaders::new()));
    /// let span = capture.span("publish"); // not one name for each queue
    /// assert_eq!(span.attribute("messaging.destination.name"), Some(&name.into()));
    /// ```
    #[must_use]
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Whether the destination goes away with its last user.
    ///
    /// ```
    /// use traced_envelope::{Destination, MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let inbox = telemetry.prepare("process", Destination::new("inbox.7f3a").temporary(true));
    /// drop(telemetry.process(Operation::new("process", &inbox), &MessageHeaders::new()));
    /// let span = capture.span("process"); // the name, which nobody sees again, is an attribute only
    /// assert_eq!(span.attribute("messaging.destination.temporary"), Some(&true.into()));
    /// ```
    #[must_use]
    pub fn temporary(mut self, temporary: bool) -> Self {
        self.temporary = temporary;
        self
    }

    /// The consumer group that reads here, where the client tells; that of
    /// [`Settings::consumer_group`](crate::Settings::consumer_group) goes before it.
    ///
    /// ```
    /// use traced_envelope::{Destination, MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("redis", &capture.settings("warehouse"));
    /// let orders = telemetry.prepare("process", Destination::new("orders").consumer_group("inventory"));
    /// drop(telemetry.process(Operation::new("process", &orders), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process orders").attribute("messaging.consumer.group.name"), Some(&"inventory".into()));
    /// ```
    #[must_use]
    pub fn consumer_group(mut self, name: impl Into<String>) -> Self {
        self.consumer_group = Some(name.into());
        self
    }

    /// An attribute that all messages of this destination have, such as the routing key; an empty value is left out.
    ///
    /// ```
    /// use traced_envelope::{Destination, MessageHeaders, Operation, Telemetry, semconv, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("rabbitmq", &capture.settings("shop"));
    /// let orders = Destination::new("orders").attribute(&semconv::RABBITMQ_ROUTING_KEY, "eu");
    /// let orders = telemetry.prepare("publish", orders);
    /// drop(telemetry.send(Operation::new("publish", &orders), &mut MessageHeaders::new()));
    /// let key = capture.span("publish orders").attribute("messaging.rabbitmq.destination.routing_key").cloned();
    /// assert_eq!(key, Some("eu".into()));
    /// ```
    #[must_use]
    pub fn attribute(mut self, name: &Name, value: impl Into<String>) -> Self {
        self.attributes.push((*name, value.into()));
        self
    }
}
