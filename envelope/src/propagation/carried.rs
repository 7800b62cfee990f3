//! What a message said that a span context cannot hold.

use opentelemetry::{
    Context,
    trace::{SpanContext, TraceContextExt, TraceFlags, TraceId, TraceState},
};

use super::{traceparent::RANDOM, tracestate};

/// Rides in a [`Context`] beside the span and completes what is injected from it.
///
/// It belongs to one trace: a span of another trace below the same context (a consumer that links
/// instead of continuing) neither sees nor writes it.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) trace_id: TraceId,
    pub(super) tracestate: Option<tracestate::Raw>,
    pub(super) random: bool,
}

impl Carried {
    /// What `context` carries for the trace of `span`.
    pub(super) fn of<'a>(context: &'a Context, span: &SpanContext) -> Option<&'a Self> {
        context.get::<Self>().filter(|carried| carried.trace_id == span.trace_id())
    }
}

/// The flags to write for `span`.
pub(super) fn flags(span: &SpanContext, carried: Option<&Carried>) -> TraceFlags {
    match carried {
        Some(Carried { random: true, .. }) => span.trace_flags() | RANDOM,
        _ => span.trace_flags(),
    }
}

/// The `tracestate` to write for `span`; `None` if there is nothing to say.
pub(super) fn tracestate(span: &SpanContext, carried: Option<&Carried>) -> Option<String> {
    let raw = carried.and_then(|carried| carried.tracestate.as_ref());
    if raw.is_none() && *span.trace_state() == TraceState::NONE {
        return None;
    }
    tracestate::format(span.trace_state(), raw)
}

/// Puts the random flag back where a tracer lost it between `parent` and its `child`.
///
/// The flag describes the trace id, so it holds for every span of the trace; but the stock SDK zeroes
/// the flags of a span that its sampler drops. To be called with the context that `child` is going to be
/// current in, once it was started: nothing is allocated unless the flag was lost.
pub(crate) fn restore_random(context: Context, parent: &SpanContext) -> Context {
    let has = |span: &SpanContext| span.trace_flags() & RANDOM == RANDOM;
    let span = context.span();
    let child = span.span_context();
    if !has(parent) || has(child) || parent.trace_id() != child.trace_id() {
        return context;
    }
    let carried = Carried::of(&context, child);
    if carried.is_some_and(|carried| carried.random) {
        return context;
    }
    let tracestate = carried.and_then(|carried| carried.tracestate.clone());
    context.with_value(Carried { trace_id: child.trace_id(), tracestate, random: true })
}
