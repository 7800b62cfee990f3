//! Where spans come from: a provider that was given, or the process-wide one, which may be installed late.

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, global};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// A [`TracerProvider`] whose types are forgotten.
///
/// Not OpenTelemetry's `ObjectSafeTracerProvider`: its tracers box each span, and the context boxes it again.
pub(crate) trait MakeTracer {
    fn make_tracer(&self, scope: InstrumentationScope) -> Box<AnyTracer>;

    /// Whether its spans come from the no-op tracer: that one hands the parent's context back also where telemetry is suppressed, while
    /// an SDK then starts nothing (no sampler, processor or exporter hears of it) and hands out an invalid context.
    fn is_no_op(&self) -> bool;
}

/// A [`Tracer`] whose types are forgotten.
pub(crate) trait StartSpan {
    /// Starts a span below `parent` and returns `parent` with the new span; `None` when there is no SDK behind the tracer.
    fn start_span(&self, builder: SpanBuilder, parent: &Context) -> Option<Context>;
}

pub(crate) type AnyTracerProvider = dyn MakeTracer + Send + Sync;
type AnyTracer = dyn StartSpan + Send + Sync;

impl<P, T, S> MakeTracer for P
where
    P: TracerProvider<Tracer = T>,
    T: Tracer<Span = S> + Send + Sync + 'static,
    S: Span + Send + Sync + 'static,
{
    fn make_tracer(&self, scope: InstrumentationScope) -> Box<AnyTracer> {
        Box::new(self.tracer_with_scope(scope))
    }

    fn is_no_op(&self) -> bool {
        let tracer = self.tracer_with_scope(InstrumentationScope::builder(env!("CARGO_PKG_NAME")).build());
        let parent = &*SUPPRESSED;
        let span = tracer.build_with_context(SpanBuilder::default(), parent);
        span.span_context().span_id() == parent.span().span_context().span_id()
    }
}

/// A parent below which an SDK starts no span.
static SUPPRESSED: LazyLock<Context> = LazyLock::new(|| {
    let (trace_id, span_id) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8]));
    let parent = SpanContext::new(trace_id, span_id, TraceFlags::default(), true, TraceState::NONE);
    Context::new().with_remote_span_context(parent).with_telemetry_suppressed()
});

impl<T, S> StartSpan for T
where
    T: Tracer<Span = S>,
    S: Span + Send + Sync + 'static,
{
    fn start_span(&self, builder: SpanBuilder, parent: &Context) -> Option<Context> {
        let span = self.build_with_context(builder, parent);
        // The no-op tracer hands the parent's context back, and an SDK that was shut down an invalid one.
        is_new(span.span_context(), parent.span().span_context()).then(|| parent.with_span(span))
    }
}

pub(crate) fn is_new(span: &SpanContext, parent: &SpanContext) -> bool {
    span.is_valid() && span.span_id() != parent.span_id()
}

/// The tracer of one instrumentation scope.
///
/// A tracer that was taken before the application installed its provider stays dead for ever, and taking one for each message
/// costs two allocations. So the first tracer whose span turns out to be real is kept. The message's own span is the probe: a span
/// started only to look would be exported. Once a message has found no SDK, those after it look whether there is one before they put
/// a span together.
pub(crate) struct TracerSource {
    provider: Option<Arc<AnyTracerProvider>>,
    pub(crate) scope: InstrumentationScope,
    kept: OnceLock<Box<AnyTracer>>,
    /// Whether a span turned out not to be real.
    missed: AtomicBool,
}

impl TracerSource {
    pub(crate) fn new(provider: Option<Arc<AnyTracerProvider>>, scope: InstrumentationScope) -> Self {
        Self { provider, scope, kept: OnceLock::new(), missed: AtomicBool::new(false) }
    }

    /// Starts a span below `parent`; `None` when there is no SDK, and `build` is then called for the first message only.
    pub(crate) fn start_span(&self, parent: &Context, build: impl FnOnce() -> SpanBuilder) -> Option<Context> {
        if let Some(tracer) = self.kept.get() {
            return tracer.start_span(build(), parent);
        }
        let Some(provider) = &self.provider else {
            let provider = global::tracer_provider();
            if self.is_known_to_miss(&provider) {
                return None;
            }
            // Boxed only when it is kept: without an SDK nothing is allocated here.
            let tracer = provider.tracer_with_scope(self.scope.clone());
            let started = self.seen(tracer.start_span(build(), parent))?;
            self.kept.get_or_init(|| Box::new(tracer));
            return Some(started);
        };
        if self.is_known_to_miss(&**provider) {
            return None;
        }
        let tracer = provider.make_tracer(self.scope.clone());
        let started = self.seen(tracer.start_span(build(), parent))?;
        self.kept.get_or_init(|| tracer);
        Some(started)
    }

    fn is_known_to_miss(&self, provider: &(impl MakeTracer + ?Sized)) -> bool {
        self.missed.load(Ordering::Relaxed) && provider.is_no_op()
    }

    fn seen(&self, started: Option<Context>) -> Option<Context> {
        self.missed.store(started.is_none(), Ordering::Relaxed);
        started
    }
}

impl fmt::Debug for TracerSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracerSource").field("kept", &self.kept.get().is_some()).finish_non_exhaustive()
    }
}
