//! A context that a message carries before it is sent.

use crate::foreign_headers::ForeignHeaders;
use crate::telemetry::Inner;
use crate::{MessageHeaders, Propagation, Telemetry, Trust};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::SpanContext;

/// What [`Telemetry::existing`](crate::Telemetry::existing) found on a message that is about to be sent.
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
///
/// # let capture = Capture::new();
/// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
/// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// # let mut headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
/// let existing = telemetry.existing(&headers); // those of a message that was consumed, and is sent on
/// drop(telemetry.send(Operation::new("publish", "parcels").existing(existing), &mut headers));
/// assert_eq!(capture.span("publish parcels").links().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Existing {
    pub(crate) span_context: SpanContext,
    /// Whether any field of the propagator is there, valid or not.
    pub(crate) fields: bool,
    /// All headers that are text, where the settings ask for some.
    pub(crate) headers: Option<Box<MessageHeaders>>,
}

impl Existing {
    /// The context; `None` where there is none that is valid.
    ///
    /// ```
    /// assert!(traced_envelope::Existing::default().span_context().is_none());
    /// ```
    #[must_use]
    pub fn span_context(&self) -> Option<&SpanContext> {
        Some(&self.span_context).filter(|context| context.is_valid())
    }

    pub(crate) fn headers(&self) -> Option<&dyn Extractor> {
        self.headers.as_deref().map(|headers| headers as &dyn Extractor)
    }
}

impl Default for Existing {
    fn default() -> Self {
        Self { span_context: SpanContext::NONE, fields: false, headers: None }
    }
}

impl Telemetry {
    /// Looks for a context on a message that is about to be sent; give it to
    /// [`Operation::existing`](crate::Operation::existing). Where a hook, a filter or a captured header asks for them, it takes the
    /// message's headers along.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let telemetry = Telemetry::new("nats", &Capture::new().settings("shop"));
    /// let mut headers: MessageHeaders = [("traceparent", "half"), ("tracestate", "a=1")].into_iter().collect();
    /// let existing = telemetry.existing(&headers);
    /// drop(telemetry.send(Operation::new("publish", "orders").existing(existing), &mut headers));
    /// assert!(headers.iter().all(|(name, value)| name == "traceparent" && value != "half")); // all of it is replaced
    /// ```
    #[must_use]
    pub fn existing(&self, headers: &dyn Extractor) -> Existing {
        let Inner { settings, propagators, .. } = &*self.inner;
        if !settings.enabled {
            return Existing::default();
        }
        let asked = settings.on_send.is_some() || settings.filter.is_some() || !settings.headers.is_empty();
        let headers_asked_for = asked.then(|| Box::new(MessageHeaders::of(headers)));
        let fields = propagators.any_field_in(&ForeignHeaders { headers, names: &settings.foreign_traceparents });
        let is_looked_at =
            fields && settings.propagation != Propagation::Off && settings.trust != Trust::UntrustedUnlinked;
        // What is received may be ignored (`InjectOnly`); what is replaced or kept is known all the same.
        let span_context = if is_looked_at { self.inner.read(headers).span_context } else { SpanContext::NONE };
        Existing { span_context, fields, headers: headers_asked_for }
    }

    /// Whether the propagator writes a header of this name, in any case: such a header is no part of what the application sent.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// assert!(telemetry.is_context_field("traceparent"));
    /// assert!(!telemetry.is_context_field("x-b3-traceid")); // B3's propagator has that one
    /// ```
    #[must_use]
    pub fn is_context_field(&self, name: &str) -> bool {
        self.inner.propagators.has_field(name)
    }
}
