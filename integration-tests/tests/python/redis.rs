//! redis-py.

mod ours;

use anyhow::{Context as _, Result};
use opentelemetry::trace::{FutureExt as _, SpanKind};
use ours::Ours;
use serde_json::{Value, json};
use traced_redis::Message;

use crate::context::{
    BAGGAGE, BAGGAGE_OF_PYTHON, REQUESTS_BAGGAGE, SIGNS, TRACESTATE, VALUE, assert_child, assert_continues, baggage,
    request, span_of, text, traceparent,
};
use crate::{environment, partner};

/// Members that look like an envelope's, escapes, and what Python writes as `\u` and we as it is.
fn order() -> Value {
    json!({ "id": 7, "trace_context": null, "payload": [1.5, true, "a\"b\\c\u{2028}ü😀"] })
}

#[tokio::test]
async fn python_publishes_and_our_subscriber_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (channel, next) = (Ours::channel(), Ours::channel());
    let (mut consumer, mut bare) = (ours.subscribe(&channel).await?, ours.subscribe_bare(&next).await?);
    let order = order().to_string();
    let arguments = [channel.as_str(), &order, TRACESTATE, "user", VALUE, "signs", SIGNS];
    let reports = partner::run(python, ours.url(), "redis/publisher.py", &arguments).await?;

    let message = ours::next(&mut consumer).await?;
    let came: Value = serde_json::from_slice(message.get_ref().get_payload_bytes())?;
    let handler = async |message: Message| {
        let payload: Value = message.json()?;
        ours.publish_json(&next, &payload).await?;
        anyhow::Ok((payload, baggage()))
    };
    let (payload, seen) = message.process(handler).await?;
    assert_eq!(payload, self::order());

    let publish = reports.span(&format!("{channel} publish"))?;
    assert_eq!((&publish["kind"], &publish["flags"]), (&json!("PRODUCER"), &json!(3)), "Python's trace ids are random");
    assert!(reports.is_below(publish, "checkout"));
    let process = span_of(&ours.capture, &SpanKind::Consumer)?;
    assert_continues(&process, publish);

    // What Python wrote, the reason of what is read.
    let (trace_id, span_id) = (text(publish, "trace_id"), text(publish, "span_id"));
    let written = json!({
        "traceparent": format!("00-{trace_id}-{span_id}-03"),
        "tracestate": TRACESTATE,
        "baggage": BAGGAGE_OF_PYTHON,
    });
    assert_eq!(came["trace_context"], written);
    let expected = [("signs", SIGNS), ("user", VALUE)];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());

    // The next hop has both flags, the tracestate, and the baggage as every language reads it.
    let sent = ours::next_bare(&mut bare).await?;
    let publish = span_of(&ours.capture, &SpanKind::Producer)?;
    assert_eq!(publish.parent_id(), Some(process.span_id()));
    let carrier = json!({ "traceparent": traceparent(&publish, 3), "tracestate": TRACESTATE, "baggage": BAGGAGE });
    assert_eq!(sent, json!({ "trace_context": carrier, "payload": self::order() }));
    Ok(())
}

#[tokio::test]
async fn we_publish_and_a_python_subscriber_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    for flags in [1, 3] {
        ours.capture.clear();
        let (channel, ready) = (Ours::channel(), Ours::channel());
        let arguments = [channel.as_str(), ready.as_str()];
        let subscriber = partner::run(python, ours.url(), "redis/subscriber.py", &arguments);
        let publisher = async {
            ours.wait_for(&ready).await?;
            ours.publish_json(&channel, &order()).with_context(request(flags)?).await
        };
        let (reports, receivers) = tokio::try_join!(subscriber, publisher)?;
        assert_eq!(receivers, 1);

        let publish = span_of(&ours.capture, &SpanKind::Producer)?;
        let process = reports.span(&format!("{channel} process"))?;
        assert_child(process, "CONSUMER", &publish);
        assert_eq!(process["flags"], flags, "as the request had them");
        let message = reports.message()?;
        assert_eq!(message["baggage"], json!({ "user": VALUE, "plain": "1" }));
        let headers = [
            ["baggage", "str", REQUESTS_BAGGAGE],
            ["traceparent", "str", &traceparent(&publish, flags)],
            ["tracestate", "str", TRACESTATE],
        ];
        assert_eq!(message["headers"], json!(headers));
        let body: Value = serde_json::from_str(&text(message, "body"))?;
        assert_eq!(body["payload"], order());
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_from_rust_through_python_to_rust_is_one_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (channel, ready, next) = (Ours::channel(), Ours::channel(), Ours::channel());
    let mut consumer = ours.subscribe(&next).await?;
    let arguments = [channel.as_str(), ready.as_str(), next.as_str()];
    let subscriber = partner::run(python, ours.url(), "redis/subscriber.py", &arguments);
    let publisher = async {
        ours.wait_for(&ready).await?;
        ours.publish_json(&channel, &order()).with_context(request(1)?).await
    };
    let (reports, _) = tokio::try_join!(subscriber, publisher)?;
    let handler = async |message: Message| anyhow::Ok((message.json::<Value>()?, baggage()));
    let (payload, seen) = ours::next(&mut consumer).await?.process(handler).await?;

    let (process, publish) = (reports.span(&format!("{channel} process"))?, reports.span(&format!("{next} publish"))?);
    assert_child(process, "CONSUMER", &span_of(&ours.capture, &SpanKind::Producer)?);
    assert_eq!(publish["parent_id"], process["span_id"]);
    assert_continues(&span_of(&ours.capture, &SpanKind::Consumer)?, publish);
    ours.capture.assert_one_trace();
    assert_eq!((payload, seen.get("user").context("no baggage")?.as_str()), (order(), VALUE));
    Ok(())
}

#[tokio::test]
async fn what_python_publishes_untraced_is_unwrapped_and_starts_a_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let channel = Ours::channel();
    let mut consumer = ours.subscribe(&channel).await?;
    let order = order().to_string();
    partner::run(python, ours.url(), "redis/publisher.py", &[channel.as_str(), &order]).await?;
    let message = ours::next(&mut consumer).await?;
    assert!(message.get_ref().get_payload_bytes().starts_with(br#"{"trace_context": {}, "payload":"#));
    let handler = async |message: Message| anyhow::Ok(message.json::<Value>()?);
    assert_eq!(message.process(handler).await?, self::order());
    let process = span_of(&ours.capture, &SpanKind::Consumer)?;
    assert_eq!((process.parent_id(), process.links().len()), (None, 0));
    Ok(())
}
