//! What the client does not tell, and what things are called.

use super::Settings;
use crate::SemConv;
use crate::pattern::Pattern;

impl Settings {
    /// The low-cardinality form of destinations whose name fits a pattern: it stands in span names and metrics instead of the name,
    /// which stays an attribute of the span. The first that fits counts. Default: none.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("shop").destination_template("user.*", "user.{id}");
    /// drop(Telemetry::new("nats", &settings).send(Operation::new("publish", "user.7"), &mut MessageHeaders::new()));
    /// let span = capture.span("publish user.{id}");
    /// assert_eq!(span.attribute("messaging.destination.name"), Some(&"user.7".into()));
    /// ```
    #[must_use]
    pub fn destination_template(mut self, pattern: impl Into<String>, template: impl Into<String>) -> Self {
        self.templates.push((Pattern::new(pattern), template.into()));
        self
    }

    /// The broker's address and port, for `server.address` and `server.port`. Default: left out, because most clients hide them.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").server("mq.internal", 4222));
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// let span = capture.span("publish orders");
    /// assert_eq!(span.attribute("server.address"), Some(&"mq.internal".into()));
    /// assert_eq!(span.attribute("server.port"), Some(&4222.into()));
    /// ```
    #[must_use]
    pub fn server(mut self, address: impl Into<String>, port: u16) -> Self {
        self.server = Some((address.into(), port));
        self
    }

    /// The consumer group, for `messaging.consumer.group.name`. Default: what the adapter knows, else left out.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse").consumer_group("inventory"));
    /// drop(telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// let consumed = capture.metric("messaging.client.consumed.messages");
    /// assert_eq!(consumed.attribute("messaging.consumer.group.name"), Some(&"inventory".into()));
    /// ```
    #[must_use]
    pub fn consumer_group(mut self, name: impl Into<String>) -> Self {
        self.consumer_group = Some(name.into());
        self
    }

    /// The client's id, for `messaging.client.id`. Default: what the adapter knows, else left out.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").client_id("shop-1"));
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish orders").attribute("messaging.client.id"), Some(&"shop-1".into()));
    /// ```
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Which release of the conventions names the attributes. Default: as `OTEL_SEMCONV_STABILITY_OPT_IN` says, else
    /// [`SemConv::V1_44`].
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, SemConv, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").semconv(SemConv::Both));
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// let span = capture.span("publish orders");
    /// assert_eq!(span.attribute("messaging.system"), Some(&"nats".into())); // what the old dashboards read
    /// assert_eq!(span.attribute("messaging.system.name"), Some(&"nats".into()));
    /// ```
    #[must_use]
    pub fn semconv(mut self, release: SemConv) -> Self {
        self.semconv = release;
        self
    }
}
