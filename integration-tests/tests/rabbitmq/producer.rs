//! What a message looks like on the wire, and what the application can add to its spans.

use anyhow::{Context as _, Result};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use opentelemetry::KeyValue;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use traced_envelope::propagation::W3cPropagator;
use traced_rabbitmq::{HeaderExtractor, Settings, TracedConsumer, TracedProducer};

use crate::channel::{Rabbit, attribute, next, soon, table, text, with_headers};

/// Publishes a message with these settings and processes it, also with these.
async fn travel(
    rabbit: &Rabbit,
    queue: &ShortString,
    settings: impl Fn(Settings) -> Settings,
    properties: BasicProperties,
) -> Result<()> {
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &settings(rabbit.shop()));
    let options = BasicPublishOptions::default();
    soon(producer.publish("".into(), queue.clone(), options, b"seven", properties).await?).await??;
    let consumer = rabbit.consume(queue).await?;
    let mut consumer = TracedConsumer::with_settings(consumer, &settings(rabbit.warehouse()));
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await
}

fn others() -> FieldTable {
    let nested = table([("a", AMQPValue::Void), ("b", AMQPValue::Double(1.5))]);
    table([
        ("Tenant", text("äcme")),
        ("not-utf-8", AMQPValue::LongString(vec![0xff, 0x00].into())),
        ("binary", AMQPValue::ByteArray(vec![0, 255].into())),
        ("null", AMQPValue::Void),
        ("yes", AMQPValue::Boolean(true)),
        ("long", AMQPValue::LongLongInt(-7)),
        ("time", AMQPValue::Timestamp(1_700_000_000)),
        ("nested", AMQPValue::FieldTable(nested)),
        ("list", AMQPValue::FieldArray(FieldArray::from(vec![text("x"), AMQPValue::LongInt(1)]))),
        ("", text("a name without letters")),
    ])
}

fn everything() -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_headers(others())
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("conversation-1".into())
        .with_reply_to("answers".into())
        .with_expiration("600000".into())
        .with_message_id("message-1".into())
        .with_timestamp(1_700_000_000)
        .with_type("order".into())
        .with_app_id("shop".into())
}

#[tokio::test]
async fn the_callers_properties_and_headers_arrive_as_they_were_with_ours_as_long_strings() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (options, properties) = (BasicPublishOptions::default(), everything());
    let given = properties.clone();
    soon(rabbit.producer().publish("".into(), queue.clone(), options, b"7", given).await?).await??;
    let message = rabbit.pull(&queue).await?.context("a message")?.delivery;

    let sent = rabbit.capture.span(&format!("publish {queue}"));
    let traceparent = format!("00-{}-{}-03", sent.trace_id(), sent.span_id());
    let traceparent = match message.properties.headers().as_ref().and_then(|it| it.inner().get("traceparent")) {
        // The random flag is the sampler's and id generator's matter.
        Some(AMQPValue::LongString(found)) if found.to_string().starts_with(&traceparent[..53]) => found.clone(),
        other => anyhow::bail!("{other:?} instead of {traceparent}"),
    };
    let mut expected = others();
    expected.insert("traceparent".into(), AMQPValue::LongString(traceparent));
    assert_eq!(message.properties, properties.with_headers(expected));
    assert_eq!(message.data, b"7");
    Ok(())
}

#[tokio::test]
async fn a_context_that_the_message_carried_is_replaced_and_linked() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let old = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let properties = with_headers([
        ("TraceParent", text(old)),
        ("traceparent", text(old)),
        ("tracestate", AMQPValue::ByteArray(b"old=1".as_slice().into())),
        ("Baggage", text("old=1")),
        ("tenant", text("acme")),
    ]);
    let options = BasicPublishOptions::default();
    soon(rabbit.producer().publish("".into(), queue.clone(), options, b"7", properties).await?).await??;
    let headers = rabbit.headers(&queue).await?;
    assert_eq!(headers.inner().keys().map(ShortString::as_str).collect::<Vec<_>>(), ["tenant", "traceparent"]);
    let sent = rabbit.capture.span(&format!("publish {queue}"));
    assert_eq!(sent.links().len(), 1);
    assert_eq!(sent.links()[0].span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(sent.trace_id(), sent.links()[0].span_context.trace_id());
    Ok(())
}

#[tokio::test]
async fn message_id_and_correlation_id_stand_on_both_spans() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let ids = BasicProperties::default().with_message_id("m-1".into()).with_correlation_id("c-1".into());
    travel(&rabbit, &queue, |settings| settings, ids).await?;
    for operation in ["publish", "process"] {
        let span = rabbit.capture.span(&format!("{operation} {queue}"));
        assert_eq!(attribute(&span, "messaging.message.id").as_deref(), Some("m-1"));
        assert_eq!(attribute(&span, "messaging.message.conversation_id").as_deref(), Some("c-1"));
    }
    Ok(())
}

#[tokio::test]
async fn sizes_are_recorded_for_those_who_ask() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    travel(&rabbit, &queue, |settings| settings, BasicProperties::default()).await?;
    let sizes = || {
        let spans = rabbit.capture.spans().into_iter();
        spans.map(|span| attribute(&span, "messaging.message.body.size")).collect::<Vec<_>>()
    };
    assert_eq!(sizes(), [None, None]);
    rabbit.capture.clear();
    let queue = rabbit.queue().await?;
    travel(&rabbit, &queue, |settings| settings.message_sizes(true), BasicProperties::default()).await?;
    assert_eq!(sizes(), [Some("5".to_owned()), Some("5".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn headers_are_captured_by_name_and_nothing_else_of_a_message_is() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let chosen = |settings: Settings| settings.capture_headers(["x-*"]).exclude_headers(["x-secret*"]);
    let headers = [
        ("X-Tenant", text("acme")),
        ("x-secret-key", text("hush")),
        ("other", text("private")),
        ("x-number", AMQPValue::LongInt(1)),
    ];
    travel(&rabbit, &queue, chosen, with_headers(headers)).await?;
    // What is no text is there for the consumer, who writes it as text.
    for (name, expected) in [("publish", 1), ("process", 2)] {
        let span = rabbit.capture.span(&format!("{name} {queue}"));
        let headers =
            span.attributes().iter().filter(|attribute| attribute.key.as_str().starts_with("messaging.header."));
        assert_eq!(headers.count(), expected, "{span:?}");
        assert_eq!(attribute(&span, "messaging.header.x-tenant").as_deref(), Some("[\"acme\"]"));
        let number = attribute(&span, "messaging.header.x-number");
        assert_eq!(number.as_deref(), (name == "process").then_some("[\"1\"]"));
    }
    let everything = format!("{:?}", rabbit.capture.spans());
    assert!(!["hush", "private", "seven"].iter().any(|secret| everything.contains(secret)), "{everything}");
    Ok(())
}

#[tokio::test]
async fn hooks_see_the_message_and_add_attributes() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let hooks = |settings: Settings| {
        settings
            .on_send(|message, attributes| attributes.push(KeyValue::new("to", message.destination().to_owned())))
            .on_process(|message, attributes| {
                let tenant = message.header("tenant").unwrap_or_default().to_owned();
                attributes.push(KeyValue::new("tenant", tenant));
                attributes.push(KeyValue::new("first", message.attempt() == 1 && !message.redelivered()));
            })
    };
    travel(&rabbit, &queue, hooks, with_headers([("tenant", text("acme"))])).await?;
    rabbit.capture.assert_trace(&format!(
        "publish {queue}       shop       PRODUCER  {{to={queue}}}
           process {queue}     warehouse  CONSUMER  → publish {queue}  {{tenant=acme, first=true}}"
    ));
    Ok(())
}

#[tokio::test]
async fn a_filtered_message_has_no_span_and_its_publisher_s_context_passes_through() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let unwanted = queue.to_string();
    let filtered = move |settings: Settings| {
        let unwanted = unwanted.clone();
        settings.filter(move |message| message.destination() != unwanted)
    };
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &filtered(rabbit.shop()));
    let tracer = rabbit.capture.tracer("shop");
    let checkout = opentelemetry::Context::new().with_span(tracer.start("checkout"));
    let publishing = async {
        let options = BasicPublishOptions::default();
        let confirm = producer.publish("".into(), queue.clone(), options, b"7", BasicProperties::default());
        soon(confirm.await?).await??;
        anyhow::Ok(())
    };
    opentelemetry::context::FutureExt::with_context(publishing, checkout.clone()).await?;

    let mut consumer = TracedConsumer::with_settings(rabbit.consume(&queue).await?, &filtered(rabbit.warehouse()));
    let seen = next(&mut consumer).await?.process(async |_| {
        anyhow::Ok(opentelemetry::Context::map_current(|current| current.span().span_context().clone()))
    });
    assert_eq!(seen.await?.span_id(), checkout.span().span_context().span_id());
    checkout.span().end();
    rabbit.capture.assert_trace("checkout  shop  INTERNAL");
    assert!(rabbit.capture.metrics().is_empty(), "{:?}", rabbit.capture.metrics());
    Ok(())
}

#[tokio::test]
async fn a_prepared_destination_publishes_as_its_producer_does() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let destination = rabbit.producer().destination("".into(), queue.clone());
    for _ in 0..2 {
        soon(destination.publish(BasicPublishOptions::default(), b"7", BasicProperties::default()).await?).await??;
    }
    rabbit.capture.assert_trace(&format!("publish {queue}  shop  PRODUCER\npublish {queue}  shop  PRODUCER"));
    for span in rabbit.capture.spans() {
        let headers = rabbit.headers(&queue).await?;
        let carried = opentelemetry::propagation::TextMapPropagator::extract_with_context(
            &W3cPropagator::new(),
            &opentelemetry::Context::new(),
            &HeaderExtractor(&headers),
        );
        assert_eq!(carried.span().span_context().span_id(), span.span_id());
    }
    Ok(())
}
