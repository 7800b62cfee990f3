//! Where spans come from: a provider that was given, or the process-wide one, which may be installed late.

use opentelemetry::trace::{Span, SpanBuilder, SpanContext, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, global};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A [`TracerProvider`] whose types are forgotten.
///
/// Not OpenTelemetry's `ObjectSafeTracerProvider`: its tracers box each span, and the context boxes it again.
pub(crate) trait MakeTracer {
    fn make_tracer(&self, scope: InstrumentationScope) -> Box<AnyTracer>;
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
}

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
/// started only to look would be exported.
pub(crate) struct TracerSource {
    provider: Option<Arc<AnyTracerProvider>>,
    pub(crate) scope: InstrumentationScope,
    kept: OnceLock<Box<AnyTracer>>,
}

impl TracerSource {
    pub(crate) fn new(provider: Option<Arc<AnyTracerProvider>>, scope: InstrumentationScope) -> Self {
        Self { provider, scope, kept: OnceLock::new() }
    }

    pub(crate) fn start_span(&self, builder: SpanBuilder, parent: &Context) -> Option<Context> {
        if let Some(tracer) = self.kept.get() {
            return tracer.start_span(builder, parent);
        }
        let Some(provider) = &self.provider else {
            // Boxed only when it is kept: without an SDK nothing is allocated here.
            let tracer = global::tracer_provider().tracer_with_scope(self.scope.clone());
            let started = tracer.start_span(builder, parent)?;
            self.kept.get_or_init(|| Box::new(tracer));
            return Some(started);
        };
        let tracer = provider.make_tracer(self.scope.clone());
        let started = tracer.start_span(builder, parent)?;
        self.kept.get_or_init(|| tracer);
        Some(started)
    }
}

impl fmt::Debug for TracerSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracerSource").field("kept", &self.kept.get().is_some()).finish_non_exhaustive()
    }
}
