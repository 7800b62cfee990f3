use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::TraceId;
use opentelemetry_sdk::trace::{Sampler, ShouldSample};

use super::{forest::Forest, service::Service, span::CapturedSpan, span_list, store::Store};

/// Keeps the spans and metrics of any number of services in memory, for the assertions of a test.
///
/// Clones share what they hold. Each service has its own providers, as it would in production; all
/// write to the one capture, so that a test sees the whole trace. A span is there from the moment
/// at which it ends, without a flush.
///
/// Spans are recorded as their parent's are, and roots always: [`with_sampler`](Self::with_sampler)
/// chooses otherwise. `OTEL_*` variables have no influence.
///
/// ```
/// use opentelemetry::trace::{Tracer, TraceContextExt};
/// use traced_envelope::testing::Capture;
///
/// let capture = Capture::new();
/// capture.tracer("shop").in_span("checkout", |_| {
///     capture.tracer("warehouse").in_span("reserve stock", |_| ());
/// });
///
/// capture.assert_trace("
///     checkout          shop       INTERNAL
///     └─ reserve stock  warehouse  INTERNAL
/// ");
/// ```
#[derive(Clone)]
pub struct Capture {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<Store>,
    sampler: Box<dyn ShouldSample>,
    services: Mutex<Vec<Service>>,
}

impl Capture {
    /// Makes an empty capture.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// let (one_test, another) = (Capture::new(), Capture::new());
    /// one_test.tracer("shop").in_span("checkout", |_| ());
    /// assert!(another.spans().is_empty()); // tests that run side by side see nothing of each other
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
    }

    /// Makes an empty capture whose spans `sampler` decides on.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use opentelemetry_sdk::trace::Sampler;
    /// use traced_envelope::testing::Capture;
    ///
    /// let capture = Capture::with_sampler(Sampler::AlwaysOff);
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert!(capture.spans().is_empty());
    /// ```
    #[must_use]
    pub fn with_sampler(sampler: impl ShouldSample + 'static) -> Self {
        let inner = Inner { store: Arc::default(), sampler: Box::new(sampler), services: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// All ended spans, in the order in which they ended.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    /// let spans = capture.spans();
    /// assert_eq!([spans[0].name(), spans[1].name()], ["pay", "checkout"]); // the inner one ends first
    /// ```
    #[must_use]
    pub fn spans(&self) -> Vec<CapturedSpan> {
        self.inner.store.ended()
    }

    /// The spans that have started and not yet ended, as they were at their start.
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Tracer};
    /// use traced_envelope::testing::Capture;
    ///
    /// let capture = Capture::new();
    /// let mut span = capture.tracer("shop").start("checkout");
    /// assert_eq!(capture.open_spans().len(), 1);
    /// span.end();
    /// capture.assert_no_open_spans();
    /// ```
    #[must_use]
    pub fn open_spans(&self) -> Vec<CapturedSpan> {
        self.inner.store.open()
    }

    /// The one ended span with this name.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert_eq!(capture.span("checkout").service(), "shop");
    /// ```
    ///
    /// # Panics
    ///
    /// When there is none, or more than one; the message lists what there is.
    #[must_use]
    #[track_caller]
    pub fn span(&self, name: &str) -> CapturedSpan {
        let spans = self.spans();
        let mut named = spans.iter().filter(|span| span.name() == name);
        match (named.next(), named.count()) {
            (Some(span), 0) => span.clone(),
            (first, others) => panic!(
                "expected one span named {name:?}, captured {}\nended:\n{}\nstill open:\n{}",
                usize::from(first.is_some()) + others,
                span_list::list(&spans),
                span_list::list(&self.open_spans())
            ),
        }
    }

    /// The trees of all ended spans.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    /// let forest = capture.forest();
    /// assert_eq!((forest.spans().len(), forest.roots().count()), (2, 1));
    /// ```
    #[must_use]
    pub fn forest(&self) -> Forest {
        Forest::new(self.spans())
    }

    /// The traces of the ended spans, by the start of their first span.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// for _ in 0..2 {
    ///     capture.tracer("shop").in_span("checkout", |_| ());
    /// }
    /// assert_eq!(capture.trace_ids().len(), 2); // each checkout began a trace of its own
    /// ```
    #[must_use]
    pub fn trace_ids(&self) -> Vec<TraceId> {
        self.forest().trace_ids()
    }

    /// Forgets all ended spans and everything measured. Open spans stay: they will still end.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("warm up", |_| ());
    /// capture.clear();
    /// assert!(capture.spans().is_empty());
    /// ```
    pub fn clear(&self) {
        self.inner.store.clear();
        self.services().iter().for_each(Service::clear_metrics);
    }

    pub(super) fn service<T>(&self, name: &str, read: impl FnOnce(&Service) -> T) -> T {
        let mut services = self.inner.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = services.iter().find(|service| service.name() == name) {
            return read(service);
        }
        let service = Service::new(name.into(), &self.inner.store, self.inner.sampler.clone());
        let value = read(&service);
        services.push(service);
        value
    }

    pub(super) fn services(&self) -> Vec<Service> {
        self.inner.services.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("ended", &self.spans().len()).field("open", &self.open_spans().len()).finish()
    }
}
