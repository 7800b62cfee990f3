//! What we write, as a client shows it that is not ours and has nothing of OpenTelemetry.

use anyhow::Result;
use opentelemetry::trace::FutureExt as _;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use serde_json::{Value, json};
use traced_envelope::testing::CapturedSpan;

use super::ours::{Ours, next};
use crate::context::{REQUESTS_BAGGAGE, TRACESTATE, request, traceparent};
use crate::{environment, partner};

/// Of every kind, one of them twice.
fn of_the_application() -> OwnedHeaders {
    OwnedHeaders::new()
        .insert(Header { key: "b", value: Some("1") })
        .insert(Header { key: "binary", value: Some(&b"\0\xff"[..]) })
        .insert(Header { key: "null", value: None::<&str> })
        .insert(Header { key: "b", value: Some("2") })
}

fn listed(headers: &Value) -> Vec<(&str, &str)> {
    let headers = headers.as_array().into_iter().flatten();
    headers.filter_map(|header| Some((header[0].as_str()?, header[2].as_str()?))).collect()
}

#[tokio::test]
async fn a_record_that_is_sent_on_twice_in_a_row_has_one_header_of_each_name() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (topic, dead) = (ours.topic().await?, ours.topic().await?);
    ours.send_with(&topic, Some(of_the_application())).with_context(request(3)?).await?;
    let producer = ours.producer();
    let consumer = ours.consumer(&topic)?;
    for attempt in [1, 2] {
        let message = next(&consumer).await?;
        assert_eq!(message.attempt(), attempt);
        let retry = async |message: OwnedMessage| producer.retry(&message, attempt, &topic).await;
        message.process(retry).await?;
    }
    let third = next(&consumer).await?;
    third.process(async |message: OwnedMessage| producer.republish(&message, &dead).await).await?;

    let sent: Vec<CapturedSpan> =
        ours.capture.spans().into_iter().filter(|span| span.name().starts_with("send ")).collect();
    let context = traceparent(&sent[0], 3);
    let expected = |attempt: Option<&'static str>| {
        let mut expected = vec![
            ("b", "1"),
            ("b", "2"),
            ("baggage", REQUESTS_BAGGAGE),
            ("binary", "\0\\xff"),
            ("null", "None"),
            ("traceparent", &context),
            ("tracestate", TRACESTATE),
        ];
        expected.extend(attempt.map(|attempt| ("x-attempt", attempt)));
        expected
    };
    let reports = partner::run(python, ours.servers(), "kafka/headers.py", &[topic.as_str(), "3"]).await?;
    let came: Vec<_> = reports.messages().iter().map(|message| listed(&message["headers"])).collect();
    assert_eq!(came, [expected(None), expected(Some("2")), expected(Some("3"))]);
    let reports = partner::run(python, ours.servers(), "kafka/headers.py", &[dead.as_str(), "1"]).await?;
    assert_eq!(listed(&reports.message()?["headers"]), expected(None));
    Ok(())
}

/// A span is made for each, and its context replaces the one before.
#[tokio::test]
async fn a_record_that_is_sent_again_with_the_headers_that_came_has_one_header_of_each_name() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let topic = ours.topic().await?;
    ours.send_with(&topic, Some(of_the_application())).with_context(request(1)?).await?;
    let consumer = ours.consumer(&topic)?;
    for _ in 0..2 {
        let handler = async |message: OwnedMessage| ours.send_with(&topic, detached(&message)).await;
        next(&consumer).await?.process(handler).await?;
    }

    let reports = partner::run(python, ours.servers(), "kafka/headers.py", &[topic.as_str(), "3"]).await?;
    let sent = ours.capture.spans().into_iter().filter(|span| span.name().starts_with("send "));
    let contexts: Vec<_> = sent.map(|span| json!(traceparent(&span, 1))).collect();
    let mut came = Vec::new();
    for message in reports.messages() {
        let headers = message["headers"].as_array().into_iter().flatten();
        let names: Vec<_> = headers.clone().map(|header| header[0].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["b", "b", "baggage", "binary", "null", "traceparent", "tracestate"]);
        came.extend(headers.filter(|header| header[0] == "traceparent").map(|header| header[2].clone()));
    }
    assert_eq!(came, contexts, "the first send ended first, and so on");
    Ok(())
}

fn detached(message: &OwnedMessage) -> Option<OwnedHeaders> {
    use rdkafka::Message as _;
    message.headers().cloned()
}
