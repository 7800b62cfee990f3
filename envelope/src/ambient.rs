//! The context that is current where an operation begins.

use opentelemetry::Context;
#[cfg(feature = "tracing")]
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};

/// The current context. With the feature `tracing`, and where no OpenTelemetry span is current, the current `tracing` span stands in:
/// an application that switched tracing-opentelemetry's context activation off would otherwise get producer spans without a parent.
pub(crate) fn context() -> Context {
    let current = Context::current();
    #[cfg(feature = "tracing")]
    if !current.span().span_context().is_valid()
        && let Some(of_tracing) = of_tracing()
    {
        // Whoever attached baggage wants it sent; the `tracing` span knows of that of its parent only.
        return if current.baggage().is_empty() {
            of_tracing
        } else {
            current.with_remote_span_context(of_tracing.span().span_context().clone())
        };
    }
    current
}

/// The same, its span alone: invalid when there is none.
pub(crate) fn span_context() -> SpanContext {
    let current = Context::map_current(|context| context.span().span_context().clone());
    #[cfg(feature = "tracing")]
    if !current.is_valid()
        && let Some(of_tracing) = of_tracing()
    {
        return of_tracing.span().span_context().clone();
    }
    current
}

/// Asking for it starts the OpenTelemetry span of the current `tracing` span.
#[cfg(feature = "tracing")]
fn of_tracing() -> Option<Context> {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    let span = tracing::Span::current();
    if span.is_none() {
        return None;
    }
    Some(span.context()).filter(|context| context.span().span_context().is_valid())
}
