//! The contexts that messages carry.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};

pub(crate) fn remote(flags: TraceFlags, tracestate: bool) -> SpanContext {
    let state = TraceState::from_key_value([("vendor", "7"), ("ot", "th:8")]).ok().filter(|_| tracestate);
    SpanContext::new(
        TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        SpanId::from(0x00f0_67aa_0ba9_02b7),
        flags,
        true,
        state.unwrap_or(TraceState::NONE),
    )
}

pub(crate) fn with_baggage(context: Context) -> Context {
    context.with_baggage([KeyValue::new("tenant.id", "acme"), KeyValue::new("user", "amélie")])
}

/// One context and one member of baggage.
pub(crate) fn to_pass_through() -> Context {
    let context = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false));
    context.with_baggage([KeyValue::new("tenant.id", "acme")])
}
