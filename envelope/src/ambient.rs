//! The context that is current where an operation begins.

use opentelemetry::Context;
#[cfg(feature = "tracing")]
use opentelemetry::trace::TraceContextExt;

/// The current context. With the feature `tracing`, and where no OpenTelemetry span is current, the current `tracing` span stands in:
/// an application that switched tracing-opentelemetry's context activation off would otherwise get producer spans without a parent.
pub(crate) fn context() -> Context {
    let current = Context::current();
    #[cfg(feature = "tracing")]
    if !current.span().span_context().is_valid() {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        let span = tracing::Span::current();
        if !span.is_none() {
            let of_tracing = span.context();
            if of_tracing.span().span_context().is_valid() {
                return of_tracing;
            }
        }
    }
    current
}
