//! What travels, in each form.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry};
use traced_redis::{AcceptedForms, CloudEvents, Envelope, Form, TracedConsumer, TracedProducer};

use crate::server::{Server, bare, next, traceparent, unique};

#[tokio::test]
async fn a_binary_frame_is_the_context_and_then_the_payload_as_it_is() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut subscription = server.subscription(&channel).await?;
    assert_eq!(server.producer(Form::Binary).await?.publish(&channel, b"\x00\xffseven").await?, 1);
    let message = bare(&mut subscription).await?;
    let context = traceparent(&server.capture.span(&format!("publish {channel}")));
    let frame = message.get_payload_bytes();
    assert_eq!(&frame[..8], b"\xF5TRC\x01\x00\x00\x45");
    assert_eq!(&frame[8..22], b"\x0Btraceparent\x00\x37" as &[u8]);
    assert_eq!(&frame[22..75], &context.as_bytes()[..53]);
    assert_eq!(&frame[8 + 0x45..], b"\x00\xffseven");
    Ok(())
}

#[tokio::test]
async fn json_is_read_by_whoever_reads_json() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut subscription = server.subscription(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    assert_eq!(producer.publish_json(&channel, &json!({"id": 42})).await?, 1);
    let message = bare(&mut subscription).await?;
    let context = traceparent(&server.capture.span(&format!("publish {channel}")));
    let read: Value = serde_json::from_slice(message.get_payload_bytes())?;
    assert_eq!(read["payload"], json!({"id": 42}));
    let written = read["trace_context"]["traceparent"].as_str().context("a traceparent")?;
    assert_eq!(written[..53], context[..53]);
    assert_eq!(read.as_object().map(serde_json::Map::len), Some(2));
    Ok(())
}

/// What Python publishers in the field write, with their spaces: `json.dumps({"trace_context": carrier, "payload": message})`.
#[tokio::test]
async fn json_of_other_languages_is_opened() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let python = Telemetry::new("redis", &server.capture.settings("python"));
    let mut headers = MessageHeaders::new();
    python.send(Operation::new("publish", channel.as_str()), &mut headers).end(Outcome::Ok);
    let (_, traceparent) = headers.iter().next().context("a traceparent")?;
    let text = format!(r#"{{"trace_context": {{"traceparent": "{traceparent}"}}, "payload": {{"id": 42}}}}"#);
    let () = redis::AsyncCommands::publish(&mut server.connection().await?, &channel, text).await?;
    let order: BTreeMap<String, u32> = next(&mut consumer).await?.process(async |message| message.json()).await?;
    assert_eq!(order, BTreeMap::from([("id".to_owned(), 42)]));
    server.capture.assert_trace(&format!(
        "publish {channel}       python     PRODUCER
           process {channel}     warehouse  CONSUMER  → publish {channel}"
    ));
    Ok(())
}

#[tokio::test]
async fn every_form_carries_the_trace_and_the_payload() -> Result<()> {
    let event = Form::CloudEvents(CloudEvents::new("/shop").content_type("application/json"));
    for form in [Form::Binary, event.clone(), Form::CloudEvents(CloudEvents::new("/shop"))] {
        let server = Server::shared().await?;
        let channel = unique("orders");
        let settings = server.warehouse().accept_forms(AcceptedForms::all());
        let mut consumer = TracedConsumer::with_settings(server.subscription(&channel).await?, &settings);
        server.producer(form.clone()).await?.publish(&channel, r#"{"id":42}"#).await?;
        let message = next(&mut consumer).await?;
        assert_eq!(*message.payload(), *br#"{"id":42}"#);
        message
            .process(async |message| {
                assert_eq!(message.payload(), br#"{"id":42}"#);
                // In place, wherever nothing had to be decoded.
                let whole = message.get_ref().get_payload_bytes().as_ptr_range();
                let is_inside = whole.contains(&message.payload().as_ptr());
                assert_eq!(is_inside, form == Form::Binary || form == event, "{form:?}");
                anyhow::Ok(())
            })
            .await?;
        server.capture.assert_trace(&format!(
            "publish {channel}       shop       PRODUCER
               process {channel}     warehouse  CONSUMER  → publish {channel}"
        ));
    }
    Ok(())
}

#[tokio::test]
async fn bare_messages_are_sent_as_they_are_with_a_span_all_the_same() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, other) = (unique("legacy"), unique("orders"));
    let mut subscription = server.subscription(&channel).await?;
    subscription.subscribe(&other).await?;
    let mut of_all = server.producer(Form::Bare).await?;
    of_all.publish(&channel, b"\x01").await?;
    of_all.publish_json(&channel, &[1, 2]).await?;
    let mut of_one = server.producer(Form::Binary).await?.form_for("legacy.*", Form::Bare);
    of_one.publish(&channel, b"\x02").await?;
    of_one.publish_json(&channel, "text").await?;
    of_one.destination(&channel).publish(b"\x03").await?;
    let (): () = of_one.pipeline(|pipeline| _ = pipeline.publish(&channel, b"\x04")).await?;
    for expected in [&b"\x01"[..], b"[1,2]", b"\x02", b"\"text\"", b"\x03", b"\x04"] {
        assert_eq!(bare(&mut subscription).await?.get_payload_bytes(), expected);
    }
    assert_eq!(server.capture.spans().len(), 7, "one for each, and a create span");
    of_one.publish(&other, b"\x05").await?;
    assert!(bare(&mut subscription).await?.get_payload_bytes().starts_with(b"\xF5TRC"));
    Ok(())
}

/// Subscribers rely on the form, so it must not depend on whether something is traced.
#[tokio::test]
async fn switched_off_the_form_is_the_same_without_a_context() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut subscription = server.subscription(&channel).await?;
    for create_spans in [true, false] {
        let settings = server.shop().enabled(false).create_spans(create_spans);
        let mut producer = TracedProducer::with_settings(server.connection().await?, Form::Binary, &settings);
        producer.publish(&channel, b"1").await?;
        producer.publish_json(&channel, &1).await?;
        let (): () = producer.pipeline(|pipeline| _ = pipeline.publish(&channel, b"1")).await?;
        for expected in [&b"\xF5TRC\x01\0\0\x001"[..], br#"{"trace_context":{},"payload":1}"#, b"\xF5TRC\x01\0\0\x001"]
        {
            assert_eq!(bare(&mut subscription).await?.get_payload_bytes(), expected);
        }
    }
    let mut consumer = TracedConsumer::with_settings(subscription, &server.warehouse().enabled(false));
    server.producer(Form::Binary).await?.publish(&channel, b"1").await?;
    let payload = next(&mut consumer).await?.process(async |message| anyhow::Ok(message.payload().to_vec())).await?;
    assert_eq!(payload, b"1");
    assert_eq!(server.capture.spans().len(), 1, "the last one's");
    Ok(())
}

#[tokio::test]
async fn a_value_without_json_is_not_sent_and_says_so() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let no_json = BTreeMap::from([((1, 2), 3)]);
    let mut producer = server.producer(Form::Binary).await?;
    let error = producer.publish_json(&channel, &no_json).await.expect_err("a key is no string");
    assert_eq!(error.kind(), redis::ErrorKind::Client);
    assert!(error.to_string().contains("key must be a string"), "{error}");
    server.capture.assert_trace(&format!("publish {channel}  shop  PRODUCER  ✗ client_error"));
    Ok(())
}

#[tokio::test]
async fn an_envelope_that_is_not_accepted_is_the_payload() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let form = Form::CloudEvents(CloudEvents::new("/shop"));
    server.producer(form).await?.publish(&channel, b"seven").await?;
    let event = next(&mut consumer).await?.process(async |message| anyhow::Ok(message.payload().to_vec())).await?;
    assert_eq!(Envelope::decode(&event, AcceptedForms::all()).payload(), b"seven");
    assert_eq!(server.capture.trace_ids().len(), 2);
    Ok(())
}
