use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{Event, SpanKind, Status},
};
use opentelemetry_sdk::trace::SpanData;

/// One span as it was when it ended, and the service that made it.
///
/// A [`Capture`](super::Capture) hands these out. They can be made from the SDK's [`SpanData`] too,
/// to draw spans that came from elsewhere.
///
/// ```
/// use opentelemetry::{KeyValue, trace::{Span, SpanKind, Tracer}};
/// use traced_envelope::testing::Capture;
///
/// let capture = Capture::new();
/// capture
///     .tracer("shop")
///     .span_builder("publish orders")
///     .with_kind(SpanKind::Producer)
///     .with_attributes([KeyValue::new("messaging.system", "rabbitmq")])
///     .start(&capture.tracer("shop"))
///     .end();
///
/// let span = capture.span("publish orders");
/// assert_eq!(span.service(), "shop");
/// assert_eq!(span.kind(), SpanKind::Producer);
/// assert_eq!(span.attribute("messaging.system"), Some(&"rabbitmq".into()));
/// assert_eq!(span.parent_id(), None);
/// ```
#[derive(Clone)]
pub struct CapturedSpan {
    service: Arc<str>,
    // Shared, because forests and lists copy spans freely.
    pub(super) data: Arc<SpanData>,
}

impl CapturedSpan {
    /// Makes a span of `service` from the SDK's data.
    pub fn new(service: impl Into<Arc<str>>, data: SpanData) -> Self {
        Self { service: service.into(), data: Arc::new(data) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// The `service.name` of the provider that made it.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The kind.
    pub fn kind(&self) -> SpanKind {
        self.data.span_kind.clone()
    }

    /// All attributes, duplicates included: the Rust SDK does not remove them.
    pub fn attributes(&self) -> &[KeyValue] {
        &self.data.attributes
    }

    /// The value of one attribute; the last one where the key was set repeatedly, as a backend
    /// would show it.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.data
            .attributes
            .iter()
            .rev()
            .find(|attribute| attribute.key.as_str() == key)
            .map(|attribute| &attribute.value)
    }

    /// The status.
    pub fn status(&self) -> &Status {
        &self.data.status
    }

    /// Whether the status is an error.
    pub fn is_error(&self) -> bool {
        matches!(self.data.status, Status::Error { .. })
    }

    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.data.events
    }

    /// When it started.
    pub fn start(&self) -> SystemTime {
        self.data.start_time
    }

    /// When it ended; the start, for a span that is still open.
    pub fn end(&self) -> SystemTime {
        self.data.end_time
    }

    /// How long it took; zero where the clock went backwards.
    pub fn duration(&self) -> Duration {
        self.data.end_time.duration_since(self.data.start_time).unwrap_or_default()
    }

    /// The instrumentation scope: name, version and schema URL.
    pub fn scope(&self) -> &InstrumentationScope {
        &self.data.instrumentation_scope
    }
}

impl fmt::Debug for CapturedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedSpan").field("service", &self.service).field("data", &self.data).finish()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::super::synthetic::span;

    #[test]
    fn the_last_of_repeated_attributes_counts() {
        let span = span(1, 0, "shop", "checkout", [0, 5])
            .attribute(KeyValue::new("a", 1))
            .attribute(KeyValue::new("a", 2))
            .build();
        assert_eq!(span.attribute("a"), Some(&2.into()));
        assert_eq!(span.attribute("b"), None);
    }

    #[test]
    fn a_clock_that_went_backwards_gives_no_time() {
        assert_eq!(span(1, 0, "shop", "checkout", [5, 0]).build().duration().as_micros(), 0);
    }
}
