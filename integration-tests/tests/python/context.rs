//! The context that travels, and how both sides show that it arrived.

use std::{collections::BTreeMap, str::FromStr as _};

use anyhow::{Context as _, Result, ensure};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    baggage::BaggageExt as _,
    trace::{SpanContext, SpanKind, TraceContextExt as _, TraceState},
};
use serde_json::Value;
use traced_envelope::testing::{Capture, CapturedSpan};

/// Two vendors, one of them with a tenant and everything that a value may hold but letters.
pub(crate) const TRACESTATE: &str = "acme@shop=a b+c%20:;/?!~,rojo=00f067aa0ba902b7";

/// A space, both signs that writers disagree on, text beyond ASCII, a bare percent sign.
pub(crate) const VALUE: &str = "a b+c=1 ü%";

/// Signs that a list gives a meaning to.
pub(crate) const SIGNS: &str = "+=%,;ü\"\\";

/// How Python writes both.
pub(crate) const BAGGAGE_OF_PYTHON: &str = "user=a+b%2Bc%3D1+%C3%BC%25,signs=%2B%3D%25%2C%3B%C3%BC%22%5C";

/// How we do, and every language reads.
pub(crate) const BAGGAGE: &str = "signs=%2B%3D%25%2C%3B%C3%BC%22%5C,user=a%20b%2Bc%3D1%20%C3%BC%25";

pub(crate) fn text(report: &Value, key: &str) -> String {
    report[key].as_str().unwrap_or_else(|| panic!("no {key} in {report}")).to_owned()
}

/// The baggage that a handler sees.
pub(crate) fn baggage() -> BTreeMap<String, String> {
    let cx = Context::current();
    cx.baggage().iter().map(|(key, (value, _))| (key.to_string(), value.to_string())).collect()
}

/// The context of a request that came with a `tracestate` and `flags`, and has baggage.
pub(crate) fn request(flags: u8) -> Result<Context> {
    let trace_state = TraceState::from_str(TRACESTATE)?;
    let (trace_id, span_id) = (TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736), SpanId::from(0xf0_67aa));
    let span = SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, trace_state);
    Ok(Context::new()
        .with_remote_span_context(span)
        .with_baggage([KeyValue::new("user", VALUE), KeyValue::new("plain", "1")]))
}

/// How the baggage of that request is written.
pub(crate) const REQUESTS_BAGGAGE: &str = "plain=1,user=a%20b%2Bc%3D1%20%C3%BC%25";

/// The one span of this kind that we made.
pub(crate) fn span_of(capture: &Capture, kind: &SpanKind) -> Result<CapturedSpan> {
    let mut spans = capture.spans().into_iter().filter(|span| span.kind() == *kind);
    let span = spans.next().with_context(|| format!("no span of kind {kind:?}"))?;
    ensure!(spans.next().is_none(), "several spans of kind {kind:?}");
    Ok(span)
}

/// What a message carries that was sent inside this span.
pub(crate) fn traceparent(span: &CapturedSpan, flags: u8) -> String {
    format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
}

/// A span of Python's is in our span's trace, below it, with our tracestate.
#[track_caller]
pub(crate) fn assert_child(report: &Value, kind: &str, parent: &CapturedSpan) {
    let expected = (kind, parent.trace_id().to_string(), parent.span_id().to_string(), TRACESTATE.to_owned());
    let child = (report["kind"].as_str().unwrap_or(""), text(report, "trace_id"), text(report, "parent_id"));
    assert_eq!((child.0, child.1, child.2, text(report, "tracestate")), expected, "{report}");
}

/// A span of ours is in the trace of Python's, below it, linked to it, with its tracestate.
#[track_caller]
pub(crate) fn assert_continues(span: &CapturedSpan, parent: &Value) {
    assert_eq!(span.trace_id().to_string(), text(parent, "trace_id"));
    assert_eq!(span.parent_id().map(|id| id.to_string()), Some(text(parent, "span_id")));
    assert!(span.parent_is_remote());
    assert_eq!(span.trace_state().header(), TRACESTATE);
    let links: Vec<_> = span.links().iter().map(|link| link.span_context.span_id().to_string()).collect();
    assert_eq!(links, [text(parent, "span_id")], "the creation context is linked");
}
