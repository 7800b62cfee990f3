//! What the spans are called and which attributes say where a message went, release by release of the conventions.

use anyhow::Result;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, ExchangeKind};
use traced_envelope::SemConv;
use traced_rabbitmq::{Settings, TracedConsumer, TracedProducer};

use crate::channel::{Rabbit, attribute, next, soon};

/// One message through an exchange and a queue, published and processed with these settings.
async fn travel(
    rabbit: &Rabbit,
    [exchange, key, queue]: [&ShortString; 3],
    settings: impl Fn(Settings) -> Settings,
) -> Result<()> {
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &settings(rabbit.shop()));
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let answer = producer.publish(exchange.clone(), key.clone(), options, b"7", BasicProperties::default()).await?;
    assert_eq!(soon(answer).await??.take_message(), None, "it reaches the queue");
    let mut consumer = TracedConsumer::with_settings(rabbit.consume(queue).await?, &settings(rabbit.warehouse()));
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await
}

/// The rules are in the unit tests; here they meet what the broker really delivers.
#[tokio::test]
async fn destinations_are_named_after_exchange_routing_key_and_queue() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (none, key): (ShortString, ShortString) = ("".into(), "order.created".into());
    let [topic, fanout, direct] = [rabbit.queue().await?, rabbit.queue().await?, rabbit.queue().await?];
    let topics = rabbit.exchange(ExchangeKind::Topic, &topic, "order.*").await?;
    let fan = rabbit.exchange(ExchangeKind::Fanout, &fanout, "").await?;
    for (parts, published, processed) in [
        ([&topics, &key, &topic], format!("{topics}:{key}"), format!("{topics}:{key}:{topic}")),
        ([&fan, &none, &fanout], fan.to_string(), format!("{fan}:{fanout}")),
        ([&none, &direct, &direct], direct.to_string(), direct.to_string()),
    ] {
        travel(&rabbit, parts, |settings| settings).await?;
        rabbit.capture.assert_trace(&format!(
            "publish {published}       shop       PRODUCER  {{messaging.destination.name={published}}}
               process {processed}     warehouse  CONSUMER  → publish {published}  {{messaging.destination.name={processed}}}"
        ));
        for span in rabbit.capture.spans() {
            let routing_key = attribute(&span, "messaging.rabbitmq.destination.routing_key");
            assert_eq!(routing_key.as_deref(), Some(parts[1].as_str()).filter(|key| !key.is_empty()));
        }
        rabbit.capture.clear();
    }
    Ok(())
}

#[tokio::test]
async fn a_queue_that_the_broker_named_stays_out_of_span_names_and_metrics() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (none, queue) = (ShortString::default(), rabbit.queue_named("".into(), []).await?);
    assert!(queue.as_str().starts_with("amq.gen-"), "{queue}");
    travel(&rabbit, [&none, &queue, &queue], |settings| settings).await?;
    rabbit.capture.assert_trace(&format!(
        "publish       shop       PRODUCER  {{messaging.destination.name={queue}, messaging.destination.anonymous=true}}
           process     warehouse  CONSUMER  → publish  {{messaging.destination.name={queue}, messaging.destination.anonymous=true}}"
    ));
    for metric in rabbit.capture.metrics() {
        let made_up = metric.attributes().iter().any(|attribute| attribute.value.to_string().contains(queue.as_str()));
        assert!(!made_up, "{metric:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_template_stands_for_the_name_in_spans_and_metrics() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let exchange = rabbit.exchange(ExchangeKind::Topic, &queue, "order.*").await?;
    let templates = |settings: Settings| {
        settings
            .destination_template("shop.*:order.*:*", "orders:order.{id}:stock")
            .destination_template("shop.*:order.*", "orders:order.{id}")
    };
    travel(&rabbit, [&exchange, &"order.4711".into(), &queue], templates).await?;
    let (published, processed) = ("orders:order.{id}", "orders:order.{id}:stock");
    rabbit.capture.assert_trace(&format!(
        "publish {published}       shop       PRODUCER  {{messaging.destination.name={exchange}:order.4711}}
           process {processed}     warehouse  CONSUMER  → publish {published}"
    ));
    for (metric, name) in
        [("messaging.client.sent.messages", published), ("messaging.client.consumed.messages", processed)]
    {
        let metric = rabbit.capture.metric(metric);
        let template = metric.attribute("messaging.destination.template").map(ToString::to_string);
        assert_eq!(template.as_deref(), Some(name));
        assert_eq!(metric.attribute("messaging.destination.name"), None);
    }
    let template = attribute(&rabbit.capture.span(&format!("publish {published}")), "messaging.destination.template");
    assert_eq!(template.as_deref(), Some(published));
    Ok(())
}

#[tokio::test]
async fn the_brokers_address_and_the_clients_id_stand_on_spans_once_they_are_told() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (none, queue) = (ShortString::default(), rabbit.queue().await?);
    let told = |settings: Settings| settings.server("mq.internal", 5672).client_id("shop-1");
    travel(&rabbit, [&none, &queue, &queue], told).await?;
    for span in rabbit.capture.spans() {
        let of = |key| attribute(&span, key);
        assert_eq!(of("server.address").as_deref(), Some("mq.internal"));
        assert_eq!(of("server.port").as_deref(), Some("5672"));
        assert_eq!(of("messaging.client.id").as_deref(), Some("shop-1"));
    }
    for metric in rabbit.capture.metrics().iter().filter(|metric| metric.name().starts_with("messaging.")) {
        assert_eq!(metric.attribute("server.address").map(ToString::to_string).as_deref(), Some("mq.internal"));
        assert_eq!(metric.attribute("messaging.client.id"), None);
    }
    Ok(())
}

/// All keys, so that nothing more is written either.
#[tokio::test]
async fn each_release_of_the_conventions_has_its_own_attributes_and_schema() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let common = ["messaging.destination.name", "messaging.operation.name", "messaging.operation.type"];
    let processed = ["traced.message.attempt"];
    let old = ["messaging.rabbitmq.destination.routing_key", "messaging.system"];
    let new = ["messaging.system.name", "rabbitmq.destination.routing_key"];
    let (old_tag, new_tag) = (["messaging.rabbitmq.message.delivery_tag"], ["rabbitmq.message.delivery_tag"]);
    for (release, names, tags, schema) in [
        (SemConv::V1_44, old.to_vec(), old_tag.to_vec(), "https://opentelemetry.io/schemas/1.44.0"),
        (SemConv::V1_45, new.to_vec(), new_tag.to_vec(), "https://opentelemetry.io/schemas/1.45.0"),
        (SemConv::Both, [old, new].concat(), [old_tag, new_tag].concat(), "https://opentelemetry.io/schemas/1.44.0"),
    ] {
        let (none, queue) = (ShortString::default(), rabbit.queue().await?);
        travel(&rabbit, [&none, &queue, &queue], |settings| settings.semconv(release)).await?;
        for (operation, own) in [("publish", Vec::new()), ("process", [tags, processed.to_vec()].concat())] {
            let span = rabbit.capture.span(&format!("{operation} {queue}"));
            let mut keys: Vec<_> = span.attributes().iter().map(|attribute| attribute.key.as_str()).collect();
            let mut expected = [common.to_vec(), names.clone(), own].concat();
            keys.sort_unstable();
            expected.sort_unstable();
            assert_eq!(keys, expected, "{release:?} {operation}");
            assert_eq!(span.scope().name(), "traced-rabbitmq");
            assert_eq!(span.scope().schema_url(), Some(schema));
        }
        let span = rabbit.capture.span(&format!("process {queue}"));
        for name in names.iter().filter(|name| name.contains("system")) {
            assert_eq!(attribute(&span, name).as_deref(), Some("rabbitmq"));
        }
        let tag = if release == SemConv::V1_45 { new_tag[0] } else { old_tag[0] };
        assert!(matches!(span.attribute(tag), Some(opentelemetry::Value::I64(1..))), "{span:?}");
        rabbit.capture.clear();
    }
    Ok(())
}
