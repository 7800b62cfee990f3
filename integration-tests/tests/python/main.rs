//! Python on the other side of the queue: pika with its own OpenTelemetry instrumentation, over a real broker.
//!
//! What is exact, in which direction:
//!
//! | | Rust → Python | Python → Rust |
//! |---|---|---|
//! | trace id, parent, flags, `tracestate` | exact | exact |
//! | baggage | exact | exact, but for spaces: each arrives as `+` |
//!
//! Python's propagator writes a space as `+`, as HTML forms do, and a plus as `%2B`. By the W3C's text `+` is a character like others,
//! and Go writes a plus so: nothing in `a+b` says which of the two it is. We read what the text says.

#![allow(clippy::indexing_slicing, reason = "JSON has no index that panics when it is read")]

mod environment;
mod ours;
mod partner;

use std::{collections::BTreeMap, str::FromStr as _};

use anyhow::{Context as _, Result};
use lapin::message::Delivery;
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    baggage::BaggageExt as _,
    trace::{FutureExt as _, SpanContext, SpanKind, TraceContextExt as _, TraceState},
};
use ours::{Ours, headers};
use serde_json::{Value, json};
use traced_envelope::testing::CapturedSpan;

/// Two vendors, one of them with a tenant and everything that a value may hold but letters.
const TRACESTATE: &str = "acme@shop=a b+c%20:;/?!~,rojo=00f067aa0ba902b7";

/// A space, both signs that writers disagree on, text beyond ASCII, a bare percent sign.
const VALUE: &str = "a b+c=1 ü%";

/// [`VALUE`] as it is after Python has written it and we have read it.
const VALUE_FROM_PYTHON: &str = "a+b+c=1+ü%";

fn text(report: &Value, key: &str) -> String {
    report[key].as_str().unwrap_or_else(|| panic!("no {key} in {report}")).to_owned()
}

fn baggage() -> BTreeMap<String, String> {
    let cx = Context::current();
    cx.baggage().iter().map(|(key, (value, _))| (key.to_string(), value.to_string())).collect()
}

/// The context of a request that came with a `tracestate` and `flags`, and has baggage.
fn request(flags: u8) -> Result<Context> {
    let trace_state = TraceState::from_str(TRACESTATE)?;
    let (trace_id, span_id) = (TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736), SpanId::from(0xf0_67aa));
    let span = SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, trace_state);
    Ok(Context::new()
        .with_remote_span_context(span)
        .with_baggage([KeyValue::new("user", VALUE), KeyValue::new("plain", "1")]))
}

/// A span of Python's is in our span's trace, below it, with our tracestate.
#[track_caller]
fn assert_child(report: &Value, kind: &str, parent: &CapturedSpan) {
    let expected = (kind, parent.trace_id().to_string(), parent.span_id().to_string(), TRACESTATE.to_owned());
    let child = (report["kind"].as_str().unwrap_or(""), text(report, "trace_id"), text(report, "parent_id"));
    assert_eq!((child.0, child.1, child.2, text(report, "tracestate")), expected, "{report}");
}

/// A span of ours is in the trace of Python's, below it, linked to it, with its tracestate.
#[track_caller]
fn assert_continues(span: &CapturedSpan, parent: &Value) {
    assert_eq!(span.trace_id().to_string(), text(parent, "trace_id"));
    assert_eq!(span.parent_id().map(|id| id.to_string()), Some(text(parent, "span_id")));
    assert!(span.parent_is_remote());
    assert_eq!(span.trace_state().header(), TRACESTATE);
    let links: Vec<_> = span.links().iter().map(|link| link.span_context.span_id().to_string()).collect();
    assert_eq!(links, [text(parent, "span_id")], "the creation context is linked");
}

#[tokio::test]
async fn python_publishes_and_our_consumer_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (queue, next) = (ours.queue().await?, ours.queue().await?);
    let arguments = [queue.as_str(), TRACESTATE, "user", VALUE, "signs", "+=%,;ü\"\\"];
    let reports = partner::run(python, ours.url(), "publisher.py", &arguments).await?;

    let (came, seen) = ours
        .next(&queue)
        .await?
        .process(async |delivery: Delivery| {
            let came = headers(delivery.properties.headers().as_ref())?;
            ours.publish(&next).await?;
            anyhow::Ok((came, baggage()))
        })
        .await?;

    let publish = reports.span(&format!("{queue} send"))?;
    assert_eq!(publish["kind"], "PRODUCER");
    assert!(reports.is_below(publish, "checkout"));
    assert_eq!(publish["flags"], 3, "Python says that its trace ids are random");
    let (trace_id, span_id) = (text(publish, "trace_id"), text(publish, "span_id"));
    assert_continues(&ours.span(&SpanKind::Consumer)?, publish);

    // What Python wrote, the reason of what is read.
    assert_eq!(came["traceparent"], format!("00-{trace_id}-{span_id}-03"));
    assert_eq!(came["tracestate"], TRACESTATE);
    assert_eq!(came["baggage"], "user=a+b%2Bc%3D1+%C3%BC%25,signs=%2B%3D%25%2C%3B%C3%BC%22%5C");
    let expected = [("signs", "+=%,;ü\"\\"), ("user", VALUE_FROM_PYTHON)];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());

    // The next hop has both flags, the tracestate, and the baggage as every language reads it.
    let sent = ours.waiting(&next).await?;
    let publish = ours.span(&SpanKind::Producer)?;
    assert_eq!(publish.parent_id(), Some(ours.span(&SpanKind::Consumer)?.span_id()));
    assert_eq!(sent["traceparent"], format!("00-{trace_id}-{}-03", publish.span_id()));
    assert_eq!(sent["tracestate"], TRACESTATE);
    assert_eq!(sent["baggage"], "signs=%2B%3D%25%2C%3B%C3%BC%22%5C,user=a%2Bb%2Bc%3D1%2B%C3%BC%25");
    Ok(())
}

#[tokio::test]
async fn we_publish_and_a_python_consumer_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    for flags in [1, 3] {
        ours.capture.clear();
        let queue = ours.queue().await?;
        ours.publish(&queue).with_context(request(flags)?).await?;
        let reports = partner::run(python, ours.url(), "consumer.py", &[queue.as_str()]).await?;

        let publish = ours.span(&SpanKind::Producer)?;
        let receive = reports.span(&format!("{queue} receive"))?;
        assert_child(receive, "CONSUMER", &publish);
        assert_eq!(receive["flags"], flags, "as the request had them");
        assert_eq!(reports.span("handle")?["parent_id"], receive["span_id"]);

        let message = reports.message()?;
        assert_eq!(message["body"], "from Rust");
        assert_eq!(message["baggage"], json!({ "user": VALUE, "plain": "1" }));
        let traceparent = format!("00-{}-{}-{flags:02x}", publish.trace_id(), publish.span_id());
        assert_eq!(
            message["headers"],
            json!({
                "traceparent": ["str", traceparent],
                "tracestate": ["str", TRACESTATE],
                "baggage": ["str", "plain=1,user=a%20b%2Bc%3D1%20%C3%BC%25"],
            })
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_from_rust_through_python_to_rust_is_one_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (queue, next) = (ours.queue().await?, ours.queue().await?);
    ours.publish(&queue).with_context(request(1)?).await?;
    let reports = partner::run(python, ours.url(), "consumer.py", &[queue.as_str(), next.as_str()]).await?;
    let (came, seen) = ours
        .next(&next)
        .await?
        .process(async |delivery: Delivery| anyhow::Ok((headers(delivery.properties.headers().as_ref())?, baggage())))
        .await?;

    let receive = reports.span(&format!("{queue} receive"))?;
    let send = reports.span(&format!("{next} send"))?;
    assert_child(receive, "CONSUMER", &ours.span(&SpanKind::Producer)?);
    assert_eq!(reports.span("handle")?["parent_id"], receive["span_id"]);
    assert!(reports.is_below(send, "handle"));
    assert_continues(&ours.span(&SpanKind::Consumer)?, send);
    ours.capture.assert_one_trace();

    // Python had the value whole, and wrote its spaces as `+`.
    assert_eq!(reports.message()?["baggage"]["user"], VALUE);
    assert_eq!(seen.get("user").context("no baggage")?, VALUE_FROM_PYTHON);
    assert_eq!(came.keys().collect::<Vec<_>>(), ["baggage", "traceparent", "tracestate"], "each one once");
    Ok(())
}
