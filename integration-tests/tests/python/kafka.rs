//! confluent-kafka.

mod ours;
mod raw_headers;

use anyhow::Result;
use opentelemetry::trace::{FutureExt as _, SpanKind};
use ours::{Ours, headers};
use rdkafka::message::{Message as _, OwnedMessage};
use serde_json::{Value, json};

use crate::context::{
    BAGGAGE, BAGGAGE_OF_PYTHON, REQUESTS_BAGGAGE, SIGNS, TRACESTATE, VALUE, assert_child, assert_continues, baggage,
    request, text, traceparent,
};
use crate::{environment, partner};

fn pairs<const N: usize>(entries: [(&str, &str); N]) -> Vec<(String, String)> {
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[tokio::test]
async fn python_sends_and_our_consumer_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (topic, next) = (ours.topic().await?, ours.topic().await?);
    let arguments = [topic.as_str(), TRACESTATE, "user", VALUE, "signs", SIGNS];
    let reports = partner::run(python, ours.servers(), "kafka/producer.py", &arguments).await?;

    let message = ours.first(&topic).await?;
    let handler = async |message: OwnedMessage| {
        ours.send(&next).await?;
        anyhow::Ok((headers(message.headers())?, baggage()))
    };
    let (came, seen) = message.process(handler).await?;

    let send = reports.span(&format!("{topic} send"))?;
    assert_eq!((&send["kind"], &send["flags"]), (&json!("PRODUCER"), &json!(3)), "Python's trace ids are random");
    assert!(reports.is_below(send, "checkout"));
    assert_continues(&ours.span(&SpanKind::Consumer)?, send);

    // What Python wrote, the reason of what is read.
    let (trace_id, span_id) = (text(send, "trace_id"), text(send, "span_id"));
    let expected = [
        ("baggage", BAGGAGE_OF_PYTHON),
        ("tenant", "acme"),
        ("traceparent", &format!("00-{trace_id}-{span_id}-03")),
        ("tracestate", TRACESTATE),
    ];
    assert_eq!(came, pairs(expected));
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), pairs([("signs", SIGNS), ("user", VALUE)]));

    // The next hop has both flags, the tracestate, and the baggage as every language reads it.
    let sent = ours.first(&next).await?.into_inner();
    let send = ours.span(&SpanKind::Producer)?;
    assert_eq!(send.parent_id(), Some(ours.span(&SpanKind::Consumer)?.span_id()));
    assert_eq!(send.trace_id().to_string(), trace_id);
    let traceparent = traceparent(&send, 3);
    let expected = [("baggage", BAGGAGE), ("traceparent", &traceparent), ("tracestate", TRACESTATE)];
    assert_eq!(headers(sent.headers())?, pairs(expected));
    Ok(())
}

/// The instrumentation's own spans link ours, in a trace of their own; the application's spans continue it.
#[tokio::test]
async fn we_send_and_a_python_consumer_links_and_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    for flags in [1, 3] {
        ours.capture.clear();
        let topic = ours.topic().await?;
        ours.send(&topic).with_context(request(flags)?).await?;
        let reports = partner::run(python, ours.servers(), "kafka/consumer.py", &[&topic]).await?;

        let send = ours.span(&SpanKind::Producer)?;
        let process = reports.span(&format!("{topic} process"))?;
        let (trace_id, span_id) = (send.trace_id().to_string(), send.span_id().to_string());
        let link = json!({ "trace_id": trace_id, "span_id": span_id, "flags": flags, "tracestate": TRACESTATE });
        assert_eq!((&process["kind"], &process["links"]), (&json!("CONSUMER"), &json!([link])));
        assert_eq!(process["parent_id"], reports.span("recv")?["span_id"]);

        let handle = reports.span("handle")?;
        assert_child(handle, "INTERNAL", &send);
        assert_eq!(handle["flags"], flags, "as the request had them");

        let message = reports.message()?;
        assert_eq!(message["body"], "from Rust");
        assert_eq!(message["baggage"], json!({ "user": VALUE, "plain": "1" }));
        assert_eq!(
            message["headers"],
            json!([
                ["baggage", "bytes", REQUESTS_BAGGAGE],
                ["traceparent", "bytes", traceparent(&send, flags)],
                ["tracestate", "bytes", TRACESTATE],
            ])
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_from_rust_through_python_to_rust_is_one_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (topic, next) = (ours.topic().await?, ours.topic().await?);
    ours.send(&topic).with_context(request(1)?).await?;
    let reports = partner::run(python, ours.servers(), "kafka/consumer.py", &[&topic, &next]).await?;
    let handler = async |message: OwnedMessage| anyhow::Ok((headers(message.headers())?, baggage()));
    let (came, seen) = ours.first(&next).await?.process(handler).await?;

    assert_child(reports.span("handle")?, "INTERNAL", &ours.span(&SpanKind::Producer)?);
    let send = reports.span(&format!("{next} send"))?;
    assert!(reports.is_below(send, "handle"));
    assert_continues(&ours.span(&SpanKind::Consumer)?, send);
    ours.capture.assert_one_trace();

    assert_eq!(seen.get("user").map(String::as_str), Some(VALUE));
    let names: Vec<_> = came.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["baggage", "traceparent", "tracestate"], "each one once");
    Ok(())
}

/// The instrumentation appends to the headers that it is given. Readers disagree about which of two contexts counts, so none does.
#[tokio::test]
async fn what_python_sends_on_with_the_headers_that_came_carries_two_contexts_and_is_counted() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (topic, next) = (ours.topic().await?, ours.topic().await?);
    ours.send(&topic).with_context(request(1)?).await?;
    let arguments = [topic.as_str(), &next, "forward"];
    let reports = partner::run(python, ours.servers(), "kafka/consumer.py", &arguments).await?;
    let handler = async |message: OwnedMessage| headers(message.headers());
    let came = ours.first(&next).await?.process(handler).await?;

    let contexts: Vec<&str> =
        came.iter().filter(|(name, _)| name == "traceparent").map(|(_, value)| value.as_str()).collect();
    let both = [&traceparent(&ours.span(&SpanKind::Producer)?, 1), &carried(reports.span(&format!("{next} send"))?)];
    assert!(contexts.len() == 2 && both.iter().all(|context| contexts.contains(&context.as_str())), "{came:?}");
    let process = ours.span(&SpanKind::Consumer)?;
    assert_eq!((process.parent_id(), process.links().len()), (None, 0));
    let missing = ours.capture.metric("traced.context.missing");
    assert_eq!(missing.attribute("traced.context.reason"), Some(&"conflicting".into()));
    Ok(())
}

fn carried(span: &Value) -> String {
    format!("00-{}-{}-01", text(span, "trace_id"), text(span, "span_id"))
}
