//! What is happening to which message, where: what an adapter says of it.

mod contexts;
mod message_facts;

use crate::existing::Existing;
pub(crate) use crate::operation_type::OperationType;
use crate::semconv::Name;
use crate::{Fact, PreparedDestination};
use opentelemetry::trace::SpanContext;
use std::time::{Duration, SystemTime};

/// An operation on a message, as the adapter sees it: its name, its destination and what is known of the message.
///
/// Texts are borrowed, and copied only when a span is made.
///
/// ```
/// use traced_envelope::{Operation, semconv};
///
/// let operation = Operation::new("process", "orders")
///     .message_id("7d3a")
///     .attempt(2)
///     .attribute(&semconv::RABBITMQ_DELIVERY_TAG, 41);
/// assert_eq!(operation.name(), "process");
/// ```
#[derive(Debug)]
pub struct Operation<'a> {
    pub(crate) name: &'static str,
    pub(crate) destination: Where<'a>,
    pub(crate) message_id: Option<&'a str>,
    pub(crate) conversation_id: Option<&'a str>,
    pub(crate) partition: Option<i32>,
    pub(crate) batch: Option<usize>,
    pub(crate) body_size: Option<usize>,
    pub(crate) message_key: Option<&'a [u8]>,
    pub(crate) attempt: Option<u32>,
    pub(crate) redelivered: bool,
    pub(crate) pulled: bool,
    pub(crate) apart: bool,
    pub(crate) again: bool,
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) existing: Option<Existing>,
    pub(crate) linked: Option<&'a SpanContext>,
    pub(crate) keep_existing: bool,
    pub(crate) attributes: [Option<(&'a Name, Fact<'a>)>; 3],
    pub(crate) facts: &'a [(Name, Fact<'a>)],
}

/// A destination by its name, or one that was prepared.
///
/// ```
/// use traced_envelope::{Destination, MessageHeaders, Operation, Telemetry, Where, testing::Capture};
///
/// # let capture = Capture::new();
/// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
/// let prepared = telemetry.prepare("publish", Destination::new("orders"));
/// for destination in [Where::from("orders"), Where::from(&prepared)] {
///     drop(telemetry.send(Operation::new("publish", destination), &mut MessageHeaders::new()));
/// }
/// let [first, second] = &capture.spans()[..] else { panic!() };
/// assert_eq!((first.name(), second.name()), ("publish orders", "publish orders"));
/// ```
#[derive(Clone, Debug)]
pub enum Where<'a> {
    /// Looked up by its name.
    Named(&'a str),
    /// Prepared before: nothing is looked up.
    Prepared(&'a PreparedDestination),
}

impl<'a> From<&'a str> for Where<'a> {
    fn from(name: &'a str) -> Self {
        Self::Named(name)
    }
}

impl<'a> From<&'a PreparedDestination> for Where<'a> {
    fn from(prepared: &'a PreparedDestination) -> Self {
        Self::Prepared(prepared)
    }
}

impl<'a> Operation<'a> {
    /// An operation of this name (`publish`, `process`, `ack`, ...) at this destination.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// let span = capture.span("publish orders");
    /// assert_eq!(span.attribute("messaging.operation.name"), Some(&"publish".into()));
    /// assert_eq!(span.attribute("messaging.destination.name"), Some(&"orders".into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn new(name: &'static str, destination: impl Into<Where<'a>>) -> Self {
        Self {
            name,
            destination: destination.into(),
            message_id: None,
            conversation_id: None,
            partition: None,
            batch: None,
            body_size: None,
            message_key: None,
            attempt: None,
            redelivered: false,
            pulled: false,
            apart: false,
            again: false,
            sent_at: None,
            existing: None,
            linked: None,
            keep_existing: false,
            attributes: [None; 3],
            facts: &[],
        }
    }

    /// The operation's name.
    ///
    /// ```
    /// use traced_envelope::Operation;
    ///
    /// let operation = Operation::new("ack", "orders");
    /// let problem = format!("{} failed", operation.name());
    /// assert_eq!(problem, "ack failed");
    /// ```
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn age(&self) -> Option<Duration> {
        self.sent_at.map(|sent| SystemTime::now().duration_since(sent).unwrap_or_default())
    }
}
