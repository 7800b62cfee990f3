//! What is happening to which message, where: what an adapter says of it.

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
    pub(crate) existing: Existing,
    pub(crate) linked: Option<&'a SpanContext>,
    pub(crate) keep_existing: bool,
    pub(crate) attributes: [Option<(&'a Name, Fact<'a>)>; 3],
    pub(crate) facts: &'a [(Name, Fact<'a>)],
}

/// A destination by its name, or one that was prepared.
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
            existing: Existing::default(),
            linked: None,
            keep_existing: false,
            attributes: [None; 3],
            facts: &[],
        }
    }

    /// The operation's name.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The message's id.
    #[inline]
    #[must_use]
    pub fn message_id(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.message_id = id.into();
        self
    }

    /// The conversation that the message belongs to: AMQP's correlation id.
    #[inline]
    #[must_use]
    pub fn conversation_id(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.conversation_id = id.into();
        self
    }

    /// The partition.
    #[inline]
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// How many messages the operation handles at once; only for calls that could handle several.
    #[inline]
    #[must_use]
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = Some(messages);
        self
    }

    /// The payload's size in bytes; written when [`Settings::message_sizes`](crate::Settings::message_sizes) asks for it.
    #[inline]
    #[must_use]
    pub fn body_size(mut self, bytes: usize) -> Self {
        self.body_size = Some(bytes);
        self
    }

    /// The key of a Kafka record; written if it is UTF-8 and [`Settings::message_keys`](crate::Settings::message_keys) asks for it.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("shop").message_keys(true));
    /// let operation = Operation::new("send", "orders").message_key(&b"customer-7"[..]);
    /// telemetry.send(operation, &mut MessageHeaders::new()).end(Outcome::Ok);
    /// let key = "customer-7".into();
    /// assert_eq!(capture.span("send orders").attribute("messaging.kafka.message.key"), Some(&key));
    /// ```
    #[inline]
    #[must_use]
    pub fn message_key(mut self, key: impl Into<Option<&'a [u8]>>) -> Self {
        self.message_key = key.into();
        self
    }

    /// Which attempt at the message this is: 1 for the first.
    #[inline]
    #[must_use]
    pub fn attempt(mut self, attempt: impl Into<Option<u32>>) -> Self {
        self.attempt = attempt.into();
        self
    }

    /// Whether the broker says that it has delivered the message before.
    #[inline]
    #[must_use]
    pub fn redelivered(mut self, redelivered: bool) -> Self {
        self.redelivered = redelivered;
        self
    }

    /// The message was asked for by a single pull, not delivered to a consumer's loop: a span that is active is then the parent under
    /// [`Relation::Auto`](crate::Relation::Auto).
    #[inline]
    #[must_use]
    pub fn pulled(mut self, pulled: bool) -> Self {
        self.pulled = pulled;
        self
    }

    /// The message is not handled in one go with its creation, as a job that is retried or was scheduled for later: under
    /// [`Relation::Auto`](crate::Relation::Auto) its span starts a trace that links the creation context.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
    /// let headers: MessageHeaders =
    ///     [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")].into_iter().collect();
    /// drop(telemetry.process(Operation::new("process", "emails").apart(true), &headers));
    /// let span = capture.span("process emails");
    /// assert_eq!((span.parent_id(), span.links().len()), (None, 1));
    /// ```
    #[inline]
    #[must_use]
    pub fn apart(mut self, apart: bool) -> Self {
        self.apart = apart;
        self
    }

    /// The client tries by itself again what it was delivered once: the message has been counted, and so have its waiting and a missing
    /// context.
    #[inline]
    #[must_use]
    pub fn again(mut self, again: bool) -> Self {
        self.again = again;
        self
    }

    /// When the message was handed to the broker, by a clock with a resolution of milliseconds or better; a time in the future counts
    /// as now.
    #[inline]
    #[must_use]
    pub fn sent_at(mut self, time: impl Into<Option<SystemTime>>) -> Self {
        self.sent_at = time.into();
        self
    }

    /// The context that the message carries already, as [`Telemetry::existing`](crate::Telemetry::existing) found it.
    #[inline]
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// A span that a send span links besides: that of the transaction which the message belongs to, where another span is the parent.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("shop"));
    /// let transaction = telemetry.transaction(Operation::new("transaction", ""));
    /// let linked = transaction.span_context().unwrap();
    /// telemetry.send(Operation::new("send", "orders").link(&linked), &mut MessageHeaders::new()).end(Outcome::Ok);
    /// assert_eq!(capture.span("send orders").links().first().map(|link| &link.span_context), Some(&linked));
    /// ```
    #[inline]
    #[must_use]
    pub fn link(mut self, linked: impl Into<Option<&'a SpanContext>>) -> Self {
        self.linked = linked.into();
        self
    }

    /// Leaves the existing context on the message whatever the settings say: for functions that send a consumed message on.
    #[inline]
    #[must_use]
    pub fn keep_existing(mut self) -> Self {
        self.keep_existing = true;
        self
    }

    /// An attribute of this one message, such as a delivery tag or an offset; those beyond the third are left out.
    #[inline]
    #[must_use]
    pub fn attribute(mut self, name: &'a Name, value: impl Into<Fact<'a>>) -> Self {
        if let [free @ None, ..] | [_, free @ None, _] | [_, _, free @ None] = &mut self.attributes {
            *free = Some((name, value.into()));
        }
        self
    }

    /// Attributes of this one message, for transports that tell more of it than [`attribute`](Self::attribute) has room for.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, semconv, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
    /// let facts = [(semconv::APALIS_MAX_ATTEMPTS, 25.into()), (semconv::APALIS_WORKER, "mailer-1".into())];
    /// drop(telemetry.process(Operation::new("process", "emails").facts(&facts), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process emails").attribute("apalis.worker"), Some(&"mailer-1".into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn facts(mut self, facts: &'a [(Name, Fact<'a>)]) -> Self {
        self.facts = facts;
        self
    }

    pub(crate) fn age(&self) -> Option<Duration> {
        self.sent_at.map(|sent| SystemTime::now().duration_since(sent).unwrap_or_default())
    }
}
