//! Sending a consumed message on: the context of its first publisher stays, and nothing is lost or piled up.

use anyhow::{Context as _, Result};
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, ShortString};
use lapin::{BasicProperties, Channel};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use traced_rabbitmq::{TracedConsumer, TracedDelivery, TracedProducer};

use crate::channel::{Rabbit, consume, next, soon, text, with_headers};

/// A message of the queue on a channel of its own, which gives it back when it is closed unless it was settled.
async fn take(rabbit: &Rabbit, queue: &ShortString) -> Result<(TracedDelivery, Channel)> {
    let channel = rabbit.another_channel().await?;
    let mut consumer = TracedConsumer::with_settings(consume(&channel, queue).await?, &rabbit.warehouse());
    Ok((next(&mut consumer).await?, channel))
}

/// Whether the message came back, because nobody acknowledged it.
async fn came_back(rabbit: &Rabbit, queue: &ShortString, channel: Channel) -> Result<bool> {
    channel.close(200, "".into()).await?;
    Ok(rabbit.pull(queue).await?.is_some())
}

fn warehouse(rabbit: &Rabbit) -> TracedProducer {
    TracedProducer::with_settings(rabbit.channel.clone(), &rabbit.warehouse())
}

#[tokio::test]
async fn after_several_hops_there_is_one_header_of_each_name_and_the_first_publishers_context() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let [first, second, third] = [rabbit.queue().await?, rabbit.queue().await?, rabbit.queue().await?];
    let properties = with_headers([("tenant", text("acme")), ("binary", AMQPValue::ByteArray(vec![0, 255].into()))])
        .with_message_id("m-1".into())
        .with_type("order".into());
    let (shop, options) = (rabbit.producer(), BasicPublishOptions::default());
    let confirm = shop.publish("".into(), first.clone(), options, b"seven", properties.clone()).await?;
    soon(confirm).await??;
    let producer = warehouse(&rabbit);
    for (from, to) in [(&first, &second), (&second, &second), (&second, &third)] {
        let (delivery, _channel) = take(&rabbit, from).await?;
        let attempt = delivery.attempt();
        let producer = &producer;
        delivery.process(async move |delivery| producer.retry(&delivery, attempt, "".into(), to.clone()).await).await?;
    }
    let sent = rabbit.capture.span(&format!("publish {first}"));
    let message = rabbit.pull(&third).await?.context("a message")?.delivery;
    let mut headers = message.properties.headers().clone().context("headers")?;
    let traceparent = headers.inner().get("traceparent").and_then(AMQPValue::as_long_string).context("traceparent")?;
    assert!(traceparent.to_string().starts_with(&format!("00-{}-{}-", sent.trace_id(), sent.span_id())));
    let names: Vec<_> = headers.inner().keys().map(ShortString::as_str).collect();
    assert_eq!(names, ["binary", "tenant", "traceparent", "x-attempt"]);
    assert_eq!(headers.inner().get("x-attempt"), Some(&text("4")));
    headers = headers
        .inner()
        .iter()
        .filter(|(name, _)| !["traceparent", "x-attempt"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into();
    assert_eq!(message.properties.clone().with_headers(headers), properties);
    assert_eq!(message.data, b"seven");

    rabbit.capture.assert_trace(&format!(
        "publish {first}          shop       PRODUCER
           process {first}        warehouse  CONSUMER  → publish {first}
             publish {second}     warehouse  CLIENT    → publish {first}
           process {second}       warehouse  CONSUMER  → publish {first}  {{traced.message.attempt=2}}
             publish {second}     warehouse  CLIENT    → publish {first}
           process {second}       warehouse  CONSUMER  → publish {first}  {{traced.message.attempt=3}}
             publish {third}      warehouse  CLIENT    → publish {first}"
    ));
    Ok(())
}

#[tokio::test]
async fn the_original_is_acknowledged_once_its_copy_is_confirmed() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, target) = (rabbit.queue().await?, rabbit.queue().await?);
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let (delivery, channel) = take(&rabbit, &queue).await?;
    warehouse(&rabbit).republish(delivery.get_ref(), "".into(), target.clone()).await?;
    assert!(!delivery.get_ref().acker.usable(), "acknowledged");
    assert!(!came_back(&rabbit, &queue, channel).await?);
    assert!(rabbit.pull(&target).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn the_original_stays_where_its_copy_cannot_go() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let full = [("x-max-length", 1.into()), ("x-overflow", text("reject-publish"))];
    let (queue, full) = (rabbit.queue().await?, rabbit.queue_with(full).await?);
    rabbit.publish_bare(&full, BasicProperties::default()).await?;
    for (target, error, said) in [("nobody", "NO_ROUTE", "NO_ROUTE"), (full.as_str(), "nack", "basic.nack")] {
        rabbit.capture.clear();
        rabbit.publish_bare(&queue, BasicProperties::default()).await?;
        let (delivery, channel) = take(&rabbit, &queue).await?;
        let refused = warehouse(&rabbit).republish(delivery.get_ref(), "".into(), target.into()).await;
        let refused = refused.expect_err("the copy can go nowhere").to_string();
        assert!(refused.contains(said), "{refused}");
        assert!(came_back(&rabbit, &queue, channel).await?, "{target}");
        rabbit.capture.assert_trace(&format!("publish {target}  warehouse  PRODUCER  ✗ {error}"));
    }
    Ok(())
}

#[tokio::test]
async fn the_original_stays_when_the_exchange_is_missing_and_the_error_is_lapins() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let (delivery, channel) = take(&rabbit, &queue).await?;
    let producer = TracedProducer::with_settings(rabbit.another_channel().await?, &rabbit.warehouse());
    let error = producer.republish(delivery.get_ref(), "missing".into(), "key".into()).await.expect_err("missing");
    assert!(error.to_string().contains("NOT_FOUND"), "{error}");
    assert!(came_back(&rabbit, &queue, channel).await?);
    rabbit.capture.assert_trace("publish missing:key  warehouse  PRODUCER  ✗ NOT_FOUND");
    Ok(())
}

#[tokio::test]
async fn on_a_channel_without_confirms_the_original_is_acknowledged_at_once() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, target) = (rabbit.queue().await?, rabbit.queue().await?);
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let channel = rabbit.connection.create_channel().await?;
    let delivery = soon(channel.basic_get(queue.clone(), BasicGetOptions::default())).await??.context("a message")?;
    let producer = TracedProducer::with_settings(channel.clone(), &rabbit.warehouse());
    producer.republish(&delivery.delivery, "".into(), target.clone()).await?;
    assert!(!came_back(&rabbit, &queue, channel).await?);
    assert!(rabbit.pull(&target).await?.is_some());
    Ok(())
}

/// As a delayed exchange of the plugin needs it, of which the broker says `NO_ROUTE` although it delivers the message later.
#[tokio::test]
async fn a_copy_that_is_not_mandatory_is_taken_for_published_also_where_no_queue_has_it_yet() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let (delivery, channel) = take(&rabbit, &queue).await?;
    let producer = warehouse(&rabbit).mandatory_copies(false);
    soon(producer.retry(delivery.get_ref(), 1, "".into(), "nobody".into())).await??;
    assert!(!came_back(&rabbit, &queue, channel).await?);
    rabbit.capture.assert_trace("publish nobody  warehouse  PRODUCER");
    Ok(())
}

/// A classic queue would hand the quorum queue's count on for ever, and every delivery would be a late attempt.
#[tokio::test]
async fn a_quorum_queues_count_stays_behind() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, target) = (rabbit.queue().await?, rabbit.queue().await?);
    let counted = || with_headers([("x-delivery-count", AMQPValue::LongLongInt(3)), ("tenant", text("acme"))]);
    rabbit.publish_bare(&queue, counted()).await?;
    let (delivery, _channel) = take(&rabbit, &queue).await?;
    assert_eq!(delivery.attempt(), 4);
    warehouse(&rabbit).republish(delivery.get_ref(), "".into(), target.clone()).await?;
    let (copy, _channel) = take(&rabbit, &target).await?;
    assert_eq!(copy.attempt(), 1);
    let headers = copy.get_ref().properties.headers().clone().context("headers")?;
    assert!(headers.contains_key("tenant") && !headers.contains_key("x-delivery-count"), "{headers:?}");
    Ok(())
}

#[tokio::test]
async fn a_started_delivery_that_is_sent_on_ends_as_its_copy_does() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, target) = (rabbit.queue().await?, rabbit.queue().await?);
    let producer = warehouse(&rabbit);
    for _ in 0..3 {
        rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    }
    let settings = rabbit.warehouse().settle_spans(true);
    let mut consumer = TracedConsumer::with_settings(rabbit.consume(&queue).await?, &settings);
    let retried = next(&mut consumer).await?.start();
    soon(retried.retry(&producer, "".into(), target.clone())).await??;
    let given_up = next(&mut consumer).await?.start();
    soon(given_up.republish(&producer, "".into(), target.clone())).await??;
    let refused = next(&mut consumer).await?.start();
    soon(refused.republish(&producer, "".into(), "nobody".into())).await?.expect_err("no such queue");
    assert!(refused.get_ref().acker.usable(), "not acknowledged");
    drop((retried, given_up, refused));
    rabbit.capture.assert_trace(&format!(
        "
         process {queue}           warehouse  CONSUMER
           publish {target}        warehouse  PRODUCER
           ack {queue}             warehouse  CLIENT
         process {queue}           warehouse  CONSUMER
           publish {target}        warehouse  PRODUCER
           ack {queue}             warehouse  CLIENT
         process {queue}           warehouse  CONSUMER  ✗ NO_ROUTE
           publish nobody          warehouse  PRODUCER  ✗ NO_ROUTE"
    ));
    for attempt in [2, 1] {
        let copy = rabbit.pull(&target).await?.context("a copy")?.delivery;
        let header = copy.properties.headers().as_ref().and_then(|headers| headers.inner().get("x-attempt").cloned());
        assert_eq!(header, Some(text("2")).filter(|_| attempt == 2));
    }
    Ok(())
}

/// Nothing else could tie the copy to the attempt that made it.
#[tokio::test]
async fn a_message_without_a_context_gets_the_one_of_its_republishing() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, target) = (rabbit.queue().await?, rabbit.queue().await?);
    rabbit.publish_bare(&queue, with_headers([("traceparent", text("broken"))])).await?;
    let producer = warehouse(&rabbit);
    let (delivery, _channel) = take(&rabbit, &queue).await?;
    let (producer, to) = (&producer, &target);
    delivery.process(async move |delivery| producer.republish(&delivery, "".into(), to.clone()).await).await?;
    let mut consumer = rabbit.consumer(&target).await?;
    let process = next(&mut consumer).await?.process(async |delivery| {
        assert!(Context::current().has_active_span());
        delivery.ack(BasicAckOptions::default()).await
    });
    process.await?;
    rabbit.capture.assert_trace(&format!(
        "process {queue}           warehouse  CONSUMER
           publish {target}        warehouse  PRODUCER
             process {target}      warehouse  CONSUMER  → publish {target}"
    ));
    Ok(())
}
