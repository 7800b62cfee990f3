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
    ///
    /// ```
    /// use opentelemetry::trace::{Tracer, TracerProvider};
    /// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// use traced_envelope::testing::{CapturedSpan, Forest};
    ///
    /// let exporter = InMemorySpanExporter::default();
    /// let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    /// provider.tracer("shop").in_span("checkout", |_| ());
    /// let spans = exporter.get_finished_spans()?.into_iter().map(|data| CapturedSpan::new("shop", data));
    /// assert_eq!(Forest::new(spans).to_string(), "checkout  shop  INTERNAL\n");
    /// # Ok::<_, opentelemetry_sdk::error::OTelSdkError>(())
    /// ```
    pub fn new(service: impl Into<Arc<str>>, data: SpanData) -> Self {
        Self { service: service.into(), data: Arc::new(data) }
    }

    /// The name.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert!(capture.spans().iter().any(|span| span.name().starts_with("check")));
    /// ```
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// The `service.name` of the provider that made it.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("warehouse").in_span("reserve stock", |_| ());
    /// assert_eq!(capture.span("reserve stock").service(), "warehouse");
    /// ```
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The kind.
    ///
    /// ```
    /// use opentelemetry::trace::{SpanKind, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let shop = capture.tracer("shop");
    ///
    /// drop(shop.span_builder("publish orders").with_kind(SpanKind::Producer).start(&shop));
    /// assert_eq!(capture.span("publish orders").kind(), SpanKind::Producer);
    /// ```
    pub fn kind(&self) -> SpanKind {
        self.data.span_kind.clone()
    }

    /// All attributes, duplicates included: the Rust SDK does not remove them.
    ///
    /// ```
    /// use opentelemetry::{KeyValue, trace::{Span, Tracer}};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// let mut span = capture.tracer("shop").start("checkout");
    /// span.set_attribute(KeyValue::new("items", 2));
    /// span.set_attribute(KeyValue::new("items", 3));
    /// drop(span);
    /// assert_eq!(capture.span("checkout").attributes().len(), 2);
    /// ```
    pub fn attributes(&self) -> &[KeyValue] {
        &self.data.attributes
    }

    /// The value of one attribute; the last one where the key was set repeatedly, as a backend
    /// would show it.
    ///
    /// ```
    /// use opentelemetry::{KeyValue, trace::{Span, Tracer}};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// capture.tracer("shop").start("checkout").set_attribute(KeyValue::new("items", 3));
    /// assert_eq!(capture.span("checkout").attribute("items"), Some(&3.into()));
    /// ```
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.data
            .attributes
            .iter()
            .rev()
            .find(|attribute| attribute.key.as_str() == key)
            .map(|attribute| &attribute.value)
    }

    /// The status.
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Status, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// capture.tracer("shop").start("checkout").set_status(Status::error("sold out"));
    /// assert_eq!(capture.span("checkout").status(), &Status::error("sold out"));
    /// ```
    pub fn status(&self) -> &Status {
        &self.data.status
    }

    /// Whether the status is an error.
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Status, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// capture.tracer("shop").start("checkout").set_status(Status::error("sold out"));
    /// capture.tracer("shop").in_span("refund", |_| ());
    /// assert!(capture.span("checkout").is_error() && !capture.span("refund").is_error());
    /// ```
    pub fn is_error(&self) -> bool {
        matches!(self.data.status, Status::Error { .. })
    }

    /// The events.
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// capture.tracer("shop").start("checkout").add_event("coupon applied", Vec::new());
    /// assert_eq!(capture.span("checkout").events()[0].name, "coupon applied");
    /// ```
    pub fn events(&self) -> &[Event] {
        &self.data.events
    }

    /// When it started.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// # use std::time::SystemTime;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// let before = SystemTime::now();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert!(capture.span("checkout").start() >= before);
    /// ```
    pub fn start(&self) -> SystemTime {
        self.data.start_time
    }

    /// When it ended; the start, for a span that is still open.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// drop(shop.start("checkout"));
    /// drop(shop.start("pay"));
    /// assert!(capture.span("checkout").end() <= capture.span("pay").start()); // one after the other
    /// ```
    pub fn end(&self) -> SystemTime {
        self.data.end_time
    }

    /// How long it took; zero where the clock went backwards.
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Tracer};
    /// use std::time::{Duration, SystemTime};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let shop = capture.tracer("shop");
    ///
    /// let (started, took) = (SystemTime::now(), Duration::from_millis(20));
    /// shop.span_builder("checkout").with_start_time(started).start(&shop).end_with_timestamp(started + took);
    /// assert_eq!(capture.span("checkout").duration(), took);
    /// ```
    pub fn duration(&self) -> Duration {
        self.data.end_time.duration_since(self.data.start_time).unwrap_or_default()
    }

    /// The instrumentation scope: name, version and schema URL.
    ///
    /// ```
    /// use opentelemetry::{InstrumentationScope, trace::{Tracer, TracerProvider}};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// let scope = InstrumentationScope::builder("my-library").with_version("1.2.0").build();
    /// capture.tracer_provider("shop").tracer_with_scope(scope).in_span("checkout", |_| ());
    /// assert_eq!(capture.span("checkout").scope().version(), Some("1.2.0"));
    /// ```
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
