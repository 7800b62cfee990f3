//! Made-up spans with fixed ids and times.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use traced_envelope::testing::{CapturedSpan, Forest};

pub(crate) const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const NIGHTLY: u128 = 0x9e07_10c5_5d1a_4b0e_8b52_6a3f_77aa_0001;

fn context(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::SAMPLED, false, TraceState::NONE)
}

pub(crate) fn data(ids: (u128, u64, u64), name: &'static str, kind: SpanKind, times: [u64; 2]) -> SpanData {
    let at = |micros| SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_micros(micros);
    SpanData {
        span_context: context(ids.0, ids.1),
        parent_span_id: SpanId::from(ids.2),
        parent_span_is_remote: false,
        span_kind: kind,
        name: name.into(),
        start_time: at(times[0]),
        end_time: at(times[1]),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("made-up").build(),
    }
}

fn link(mut data: SpanData, trace: u128, span: u64) -> SpanData {
    data.links.links.push(Link::new(context(trace, span), Vec::new(), 0));
    data
}

fn attempt(mut data: SpanData, attempt: i64) -> SpanData {
    data.attributes.push(KeyValue::new("traced.message.attempt", attempt));
    data
}

pub(crate) fn failed(mut data: SpanData, description: &'static str) -> SpanData {
    data.status = Status::error(description);
    data
}

/// An order that passes two queues, fails once, is retried, and is counted by a nightly job in a
/// trace of its own.
pub(crate) fn sample() -> Forest {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let span = |id, parent, name, kind, times| data((TRACE, id, parent), name, kind, times);
    let inventory = |id, times| link(span(id, 2, "process orders:order.created:inventory", Consumer, times), TRACE, 2);
    let shipments = link(span(8, 7, "process shipments", Consumer, [31_700, 44_000]), TRACE, 7);
    let nightly = data((NIGHTLY, 11, 0), "process shipments (batch)", Consumer, [60_000, 72_500]);
    let spans = [
        ("shop", span(1, 0, "POST /orders", Server, [0, 48_100])),
        ("shop", span(2, 1, "publish orders:order.created", Producer, [900, 3_200])),
        ("warehouse", attempt(failed(inventory(3, [6_000, 14_400]), "out of stock"), 1)),
        ("warehouse", failed(span(4, 3, "reserve stock", Internal, [7_100, 11_200]), "out of stock")),
        ("warehouse", attempt(inventory(5, [22_000, 34_000]), 2)),
        ("warehouse", span(6, 5, "reserve stock", Internal, [22_400, 26_500])),
        ("warehouse", span(7, 5, "publish shipments", Producer, [27_000, 29_300])),
        ("mailer", attempt(shipments, 1)),
        ("mailer", span(9, 8, "send mail", Internal, [33_000, 43_200])),
        ("mailer", span(10, 8, "mark sent", Internal, [43_500, 43_500])),
        ("reports", link(link(nightly, TRACE, 7), TRACE, 2)),
        ("reports", data((NIGHTLY, 12, 11), "INSERT daily_totals", Client, [62_500, 70_100])),
    ];
    Forest::new(spans.map(|(service, data)| CapturedSpan::new(service, data)))
}

pub(crate) fn many(count: u64, name: &'static str) -> Forest {
    // Each span is the child of the one before: as deep as a tree can be.
    let data = |id| data((TRACE, id, id - 1), name, SpanKind::Internal, [id, 1000 - id]);
    Forest::new((1..=count).map(|id| CapturedSpan::new("shop", data(id))))
}
