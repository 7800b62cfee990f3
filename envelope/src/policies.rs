//! The small choices: whether a context that is already on a message is replaced, whether a queue is trusted, and which way
//! contexts travel.

/// What a producer does with a context that the message carries already, because it was consumed and is sent on.
///
/// ```
/// use opentelemetry::trace::SpanKind;
/// use traced_envelope::{ExistingContext, MessageHeaders, Operation, Telemetry, testing::Capture};
///
/// # let capture = Capture::new();
/// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// # let mut headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
/// let settings = capture.settings("forwarder").existing_context(ExistingContext::Keep);
/// let telemetry = Telemetry::new("nats", &settings);
/// let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
/// drop(telemetry.send(operation, &mut headers));
/// assert_eq!(capture.span("publish orders").kind(), SpanKind::Client); // who created the message is another
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExistingContext {
    /// The new span's context takes its place, and the old one becomes a link: each hop is the next one's parent.
    #[default]
    Replace,
    /// It stays as it is, as the conventions say of a message's creation context; the send span is of kind CLIENT and links it.
    /// What the retry and dead-letter functions of the adapters do, so that all attempts share one creation context.
    Keep,
}

/// Whether those who write to a queue are trusted.
///
/// ```
/// use opentelemetry::baggage::BaggageExt;
/// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry, Trust};
///
/// let telemetry = Telemetry::new("nats", &Settings::default().trust(Trust::Untrusted));
/// let headers: MessageHeaders = [("baggage", "user.role=admin")].into_iter().collect();
/// let span = telemetry.process(Operation::new("process", "uploads"), &headers);
/// assert!(span.context().baggage().is_empty()); // nothing that a stranger says reaches the handler
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trust {
    /// Contexts are continued.
    #[default]
    Trusted,
    /// Each message starts a trace of its own, which links the foreign context; its `tracestate` and baggage are dropped. Nobody
    /// outside decides about sampling then (W3C Trace Context, "Security considerations"). Goes before every [`Relation`](crate::Relation).
    Untrusted,
    /// As [`Trust::Untrusted`], and the foreign context is not even linked.
    UntrustedUnlinked,
}

/// Which way contexts and baggage travel; spans and metrics are made all the same.
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Propagation, Telemetry, testing::Capture};
///
/// // Kafka brokers that still keep message format 1 refuse headers.
/// let settings = Capture::new().settings("shop").propagation(Propagation::ExtractOnly);
/// let mut headers = MessageHeaders::new();
/// drop(Telemetry::new("kafka", &settings).send(Operation::new("send", "orders"), &mut headers));
/// assert_eq!(headers, MessageHeaders::new());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Propagation {
    /// Both ways.
    #[default]
    InjectAndExtract,
    /// Nothing is written into messages that are sent. A context that one carries already stays, and is linked.
    ExtractOnly,
    /// What received messages carry is not looked at. What a message carries that is sent on is still replaced or kept, as
    /// [`ExistingContext`] says.
    InjectOnly,
    /// Neither.
    Off,
}

impl Propagation {
    pub(crate) fn injects(self) -> bool {
        matches!(self, Self::InjectAndExtract | Self::InjectOnly)
    }

    pub(crate) fn extracts(self) -> bool {
        matches!(self, Self::InjectAndExtract | Self::ExtractOnly)
    }
}
