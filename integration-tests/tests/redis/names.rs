//! Names, attributes and metrics of the conventions.

use anyhow::Result;
use opentelemetry::trace::SpanKind;
use traced_envelope::testing::CapturedSpan;
use traced_redis::{Form, TracedConsumer, TracedProducer};

use crate::server::{Server, next, unique};

fn attributes(span: &CapturedSpan) -> Vec<(String, String)> {
    let mut attributes: Vec<_> =
        span.attributes().iter().map(|it| (it.key.to_string(), it.value.to_string())).collect();
    attributes.sort();
    attributes
}

fn texts<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

#[tokio::test]
async fn spans_say_what_the_conventions_ask_for() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let (shop, warehouse) = (server.shop().server("redis.internal", 6379), server.warehouse().message_sizes(true));
    let mut consumer = TracedConsumer::with_settings(server.subscription(&channel).await?, &warehouse);
    TracedProducer::with_settings(server.connection().await?, Form::Binary, &shop).publish(&channel, b"seven").await?;
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;

    let sent = server.capture.span(&format!("publish {channel}"));
    assert_eq!((sent.kind(), sent.scope().name()), (SpanKind::Producer, "traced-redis"));
    assert_eq!(
        attributes(&sent),
        texts([
            ("messaging.destination.name", &channel),
            ("messaging.operation.name", "publish"),
            ("messaging.operation.type", "send"),
            ("messaging.system", "redis"),
            ("server.address", "redis.internal"),
            ("server.port", "6379"),
        ])
    );
    let processed = server.capture.span(&format!("process {channel}"));
    assert_eq!(processed.kind(), SpanKind::Consumer);
    assert_eq!(
        attributes(&processed),
        texts([
            ("messaging.destination.name", &channel),
            ("messaging.message.body.size", "5"),
            ("messaging.message.envelope.size", &(5 + 8 + 1 + 11 + 2 + 55).to_string()),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.system", "redis"),
        ])
    );
    assert_eq!(server.capture.metric("messaging.client.sent.messages").value(), 1.0);
    assert_eq!(server.capture.metric("messaging.client.operation.duration").count(), Some(1));
    assert_eq!(server.capture.metric("messaging.client.consumed.messages").value(), 1.0);
    assert_eq!(server.capture.metric("messaging.process.duration").count(), Some(1));
    Ok(())
}

/// A channel for one reply, as request and reply over pub/sub makes them.
#[tokio::test]
async fn a_made_up_channel_is_in_no_span_name_and_no_metric() -> Result<()> {
    let server = Server::shared().await?;
    let id = format!("0f1e2d3c-4b5a-6978-8796-{:012x}", std::process::id());
    let mut consumer = server.consumer(&id).await?;
    server.producer(Form::Binary).await?.publish(&id, b"1").await?;
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;
    server.capture.assert_trace(
        "publish       shop       PRODUCER
           process     warehouse  CONSUMER  → publish",
    );
    assert!(server.capture.metrics().iter().all(|it| it.attribute("messaging.destination.name").is_none()));
    Ok(())
}

/// The payload's, and that of what travels: on both sides the same. Whatever is in no envelope has no size but its own.
#[tokio::test]
async fn sizes_are_those_of_the_payload_and_of_the_envelope_on_both_sides() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer =
        TracedConsumer::with_settings(server.subscription(&channel).await?, &server.warehouse().message_sizes(true));
    let mut bare = server.subscription(&channel).await?;
    for form in [Form::Binary, Form::Bare] {
        let settings = server.shop().message_sizes(true);
        let mut producer = TracedProducer::with_settings(server.connection().await?, form.clone(), &settings);
        for json in [false, true] {
            server.capture.clear();
            let sent = if json {
                producer.publish_json(&channel, &["seven"]).await
            } else {
                producer.publish(&channel, br#"["seven"]"#).await
            };
            assert_eq!(sent?, 2);
            next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;
            let travelled = crate::server::bare(&mut bare).await?.get_payload_bytes().len().to_string();
            for side in ["publish", "process"] {
                let span = server.capture.span(&format!("{side} {channel}"));
                assert_eq!(crate::server::attribute(&span, "messaging.message.body.size").as_deref(), Some("9"));
                let envelope = crate::server::attribute(&span, "messaging.message.envelope.size");
                assert_eq!(envelope, (form != Form::Bare).then(|| travelled.clone()), "{side}, {form:?}, {json}");
            }
        }
    }
    Ok(())
}
