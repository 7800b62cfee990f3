//! What the application adds to spans, and which messages get none.

use super::Settings;
use crate::Message;
use opentelemetry::KeyValue;
use std::any::Any;
use std::sync::Arc;

impl Settings {
    /// Which messages get spans and metrics; for the others the context passes through all the same. Default: all.
    ///
    /// A processed batch asks for each of its messages. Batches that are sent, pulls and settlements ask without headers.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let settings = capture.settings("shop").filter(|message| message.destination() != "heartbeats");
    /// let telemetry = Telemetry::new("nats", &settings);
    /// telemetry.send(Operation::new("publish", "heartbeats"), &mut MessageHeaders::new()).end(Outcome::Ok);
    /// telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    /// capture.assert_trace("publish orders  shop  PRODUCER");
    /// ```
    #[must_use]
    pub fn filter(mut self, wanted: impl Fn(&Message<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// Adds attributes to create and send spans, before they start, so that samplers see them. Where no SDK makes spans, it is hardly ever called.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("shop").on_send(|message, attributes| {
    ///     attributes.push(KeyValue::new("audited", message.destination().starts_with("payments")));
    /// });
    /// let telemetry = Telemetry::new("nats", &settings);
    /// drop(telemetry.send(Operation::new("publish", "payments.eu"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish payments.eu").attribute("audited"), Some(&true.into()));
    /// ```
    #[must_use]
    pub fn on_send(mut self, add: impl Fn(&Message<'_>, &mut Vec<KeyValue>) + Send + Sync + 'static) -> Self {
        self.on_send = Some(Arc::new(add));
        self
    }

    /// Adds attributes to process spans, before they start, so that samplers see them. Where no SDK makes spans, it is hardly ever called.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").on_process(|message, attributes| {
    ///     attributes.push(KeyValue::new("retried", message.attempt() > 1));
    /// });
    /// let telemetry = Telemetry::new("nats", &settings);
    /// drop(telemetry.process(Operation::new("process", "orders").attempt(2), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process orders").attribute("retried"), Some(&true.into()));
    /// ```
    #[must_use]
    pub fn on_process(mut self, add: impl Fn(&Message<'_>, &mut Vec<KeyValue>) + Send + Sync + 'static) -> Self {
        self.on_process = Some(Arc::new(add));
        self
    }

    /// Names an error for `error.type`, which metrics carry too: use few names. Default: the error's type, or `_OTHER` for
    /// `anyhow::Error`, `Box<dyn Error>` and texts.
    ///
    /// ```
    /// # use std::fmt;
    /// # struct PaymentError;
    /// # impl PaymentError { fn kind(&self) -> &'static str { "declined" } }
    /// # impl fmt::Display for PaymentError {
    /// #     fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result { formatter.write_str("card 4711") }
    /// # }
    /// use traced_envelope::{Outcome, Settings, Telemetry};
    ///
    /// let settings = Settings::default().on_error(|error| error.downcast_ref().map(PaymentError::kind));
    /// let outcome = Telemetry::new("nats", &settings).outcome(&Err::<(), _>(PaymentError));
    /// assert_eq!(outcome, Outcome::error("declined", "card 4711"));
    /// ```
    #[must_use]
    pub fn on_error(mut self, name: impl Fn(&dyn Any) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(name));
        self
    }

    /// Headers that become span attributes `messaging.header.<name>`: names, or patterns in which `*` stands for any run of
    /// characters, without regard to case. Default: none, since headers may hold secrets.
    ///
    /// On the spans of messages that are sent, created or processed one by one. At most 64 headers of a message, and no value above 16 KiB;
    /// what is no text stays out, but for the numbers, lists and tables of AMQP, such as `x-death`, which consumers write in one line.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse").capture_headers(["x-tenant"]));
    /// let headers: MessageHeaders = [("X-Tenant", "acme"), ("X-Token", "secret")].into_iter().collect();
    /// drop(telemetry.process(Operation::new("process", "orders"), &headers));
    /// let span = capture.span("process orders");
    /// assert_eq!(span.attribute("messaging.header.x-tenant").unwrap().to_string(), r#"["acme"]"#);
    /// assert_eq!(span.attribute("messaging.header.x-token"), None);
    /// ```
    #[must_use]
    pub fn capture_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.include(names);
        self
    }

    /// Headers that are not captured although [`capture_headers`](Self::capture_headers) names them.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").capture_headers(["x-*"]).exclude_headers(["*token*"]);
    /// let headers: MessageHeaders = [("X-Tenant", "acme"), ("X-Token", "secret")].into_iter().collect();
    /// drop(Telemetry::new("nats", &settings).process(Operation::new("process", "orders"), &headers));
    /// let span = capture.span("process orders");
    /// assert!(span.attribute("messaging.header.x-tenant").is_some());
    /// assert_eq!(span.attribute("messaging.header.x-token"), None);
    /// ```
    #[must_use]
    pub fn exclude_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.exclude(names);
        self
    }
}
