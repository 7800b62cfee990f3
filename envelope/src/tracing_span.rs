//! The process span as a `tracing` span, so that bare `tracing` events in the handler land on it.

use opentelemetry::trace::{Link, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Opens a span below `parent` in the current subscriber's OpenTelemetry layer; `None` where there is none, or where it is filtered.
///
/// The layer's tracer makes the span, so that the provider of the settings is not asked.
pub(crate) fn open(name: &str, parent: &Context) -> Option<tracing::Span> {
    let span = tracing::info_span!(target: "traced", parent: None, "process", otel.name = name, otel.kind = "consumer");
    if span.is_disabled() {
        return None;
    }
    span.set_parent(parent.clone()).ok()?;
    Some(span)
}

/// Starts a span that was opened; `None` where the layer has no SDK.
pub(crate) fn start(
    span: &tracing::Span,
    attributes: &[KeyValue],
    links: &[Link],
    parent: &Context,
) -> Option<Context> {
    for link in links {
        span.add_link_with_attributes(link.span_context.clone(), link.attributes.clone());
    }
    for attribute in attributes {
        span.set_attribute(attribute.key.clone(), attribute.value.clone());
    }
    // Asking for the context starts the span: from here on it is an OpenTelemetry span like any other.
    let context = span.context();
    crate::tracer::is_new(context.span().span_context(), parent.span().span_context()).then_some(context)
}
