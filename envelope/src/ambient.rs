//! The context that is current where an operation begins.

use opentelemetry::Context;
#[cfg(feature = "tracing")]
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};

/// The current context; `None` where telemetry is suppressed: an exporter that ships over a broker must not trace itself.
pub(crate) fn context() -> Option<Context> {
    let current = Context::map_current(|current| (!current.is_telemetry_suppressed()).then(|| current.clone()))?;
    #[cfg(feature = "tracing")]
    if let Some(of_tracing) = of_tracing_instead(current.span().span_context()) {
        // Whoever attached baggage wants it sent; the `tracing` span knows of that of its parent only.
        return Some(if current.baggage().is_empty() {
            of_tracing
        } else {
            current.with_remote_span_context(of_tracing.span().span_context().clone())
        });
    }
    Some(current)
}

/// The same, its span alone: invalid when there is none.
pub(crate) fn span_context() -> Option<SpanContext> {
    let of = |current: &Context| {
        let span = current.span();
        // In most consumers there is none, which is cheaper to say than to copy.
        let span = Some(span.span_context()).filter(|span| span.is_valid());
        (!current.is_telemetry_suppressed()).then(|| span.cloned().unwrap_or(SpanContext::NONE))
    };
    Context::map_current(of).map(or_of_tracing)
}

/// The current span, also where telemetry is suppressed.
pub(crate) fn span_context_of_any() -> SpanContext {
    or_of_tracing(Context::map_current(|current| current.span().span_context().clone()))
}

fn or_of_tracing(current: SpanContext) -> SpanContext {
    #[cfg(feature = "tracing")]
    if let Some(of_tracing) = of_tracing_instead(&current) {
        return of_tracing.span().span_context().clone();
    }
    current
}

/// With the feature `tracing`, and where no OpenTelemetry span is current, the current `tracing` span stands in: an application that
/// switched tracing-opentelemetry's context activation off would otherwise get producer spans without a parent. Asking for it starts
/// its OpenTelemetry span.
#[cfg(feature = "tracing")]
fn of_tracing_instead(current: &SpanContext) -> Option<Context> {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    if current.is_valid() {
        return None;
    }
    let span = tracing::Span::current();
    if span.is_none() {
        return None;
    }
    Some(span.context()).filter(|context| context.span().span_context().is_valid())
}
