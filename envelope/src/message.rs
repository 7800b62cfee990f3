//! What hooks and filters may know about a message.

use opentelemetry::propagation::Extractor;
use std::fmt;
use std::time::Duration;

/// Facts about a message, for the closures given to [`Settings`](crate::Settings).
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
///
/// # let capture = Capture::new();
/// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// # let headers: MessageHeaders = [("traceparent", parent), ("x-replay", "1")].into_iter().collect();
/// let settings = capture.settings("warehouse").relation_with(|message| {
///     let replayed = message.header("x-replay").is_some();
///     if replayed || message.is_old() { Relation::New } else { Relation::Auto }
/// });
/// drop(Telemetry::new("nats", &settings).process(Operation::new("process", "orders"), &headers));
/// assert_eq!(capture.span("process orders").parent_id(), None);
/// ```
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pub(crate) operation: &'static str,
    pub(crate) destination: &'a str,
    pub(crate) attempt: Option<u32>,
    pub(crate) redelivered: bool,
    pub(crate) age: Option<Duration>,
    pub(crate) old_after: Duration,
    pub(crate) headers: Option<&'a dyn Extractor>,
}

impl Message<'_> {
    /// The name of the operation, such as `publish` or `process`.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let settings = capture.settings("warehouse").settle_spans(true).filter(|message| message.operation() != "ack");
    /// let telemetry = Telemetry::new("rabbitmq", &settings);
    /// telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    /// telemetry.settle(Operation::new("reject", "orders"), []).end(Outcome::Ok);
    /// capture.assert_trace("reject orders  warehouse  CLIENT");
    /// ```
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The destination's name, as in the attribute `messaging.destination.name`.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let settings = capture.settings("shop").on_send(|message, attributes| {
    ///     attributes.push(KeyValue::new("vip", message.destination().starts_with("vip.")));
    /// });
    /// let telemetry = Telemetry::new("nats", &settings);
    /// drop(telemetry.send(Operation::new("publish", "vip.orders"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish vip.orders").attribute("vip"), Some(&true.into()));
    /// ```
    #[must_use]
    pub fn destination(&self) -> &str {
        self.destination
    }

    /// Which attempt this is: 1 for the first, and where the transport does not tell.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").on_process(|message, attributes| {
    ///     attributes.push(KeyValue::new("last_chance", message.attempt() >= 5));
    /// });
    /// let telemetry = Telemetry::new("rabbitmq", &settings);
    /// drop(telemetry.process(Operation::new("process", "orders").attempt(5), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process orders").attribute("last_chance"), Some(&true.into()));
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.unwrap_or(1)
    }

    /// Whether the broker says that it has delivered the message before.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let settings = capture.settings("warehouse").relation_with(|message| {
    ///     if message.redelivered() { Relation::New } else { Relation::Auto } // handled before, perhaps
    /// });
    /// let telemetry = Telemetry::new("rabbitmq", &settings);
    /// drop(telemetry.process(Operation::new("process", "orders").redelivered(true), &headers));
    /// assert_eq!(capture.span("process orders").parent_id(), None);
    /// ```
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// How long ago the message was sent; zero where the transport does not tell.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use std::time::{Duration, SystemTime};
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").on_process(|message, attributes| {
    ///     attributes.push(KeyValue::new("too_late", message.age() > Duration::from_secs(3600)));
    /// });
    /// let telemetry = Telemetry::new("nats", &settings);
    /// # let yesterday = SystemTime::now() - Duration::from_secs(86400);
    /// drop(telemetry.process(Operation::new("process", "orders").sent_at(yesterday), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process orders").attribute("too_late"), Some(&true.into()));
    /// ```
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age.unwrap_or_default()
    }

    /// Whether the message is older than [`Settings::old_after`](crate::Settings::old_after), 60 seconds by default.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").filter(|message| !message.is_old()); // no spans of a replay
    /// let telemetry = Telemetry::new("nats", &settings);
    /// # let yesterday = SystemTime::now() - Duration::from_secs(86400);
    /// drop(telemetry.process(Operation::new("process", "orders").sent_at(yesterday), &MessageHeaders::new()));
    /// assert!(capture.spans().is_empty());
    /// ```
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.age() > self.old_after
    }

    /// The text of a header; `None` when it is not there or is no text, and for a whole batch. What is sent has the headers that the
    /// application gave it.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").on_process(|message, attributes| {
    ///     attributes.extend(message.header("x-tenant").map(|tenant| KeyValue::new("tenant.id", tenant.to_owned())));
    /// });
    /// let headers: MessageHeaders = [("X-Tenant", "acme")].into_iter().collect();
    /// drop(Telemetry::new("nats", &settings).process(Operation::new("process", "orders"), &headers));
    /// assert_eq!(capture.span("process orders").attribute("tenant.id"), Some(&"acme".into()));
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.and_then(|headers| headers.get(name))
    }
}

impl fmt::Debug for Message<'_> {
    /// Header values are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Message")
            .field("operation", &self.operation)
            .field("destination", &self.destination)
            .field("attempt", &self.attempt)
            .field("redelivered", &self.redelivered)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}
