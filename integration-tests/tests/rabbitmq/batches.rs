//! Many messages with one span, on both sides.

use anyhow::{Context as _, Result, anyhow};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, ShortString};
use lapin::{BasicProperties, Confirmation};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use traced_envelope::ExistingContext;
use traced_rabbitmq::{BatchMessage, TracedConsumer, TracedDelivery, TracedProducer};

use crate::channel::{Rabbit, next, soon, text, with_headers};

fn to(queue: &ShortString, properties: BasicProperties) -> BatchMessage<'static> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    BatchMessage { exchange: "".into(), routing_key: queue.clone(), options, payload: b"7", properties }
}

async fn take(consumer: &mut TracedConsumer, messages: usize) -> Result<Vec<TracedDelivery>> {
    let mut taken = Vec::new();
    for _ in 0..messages {
        taken.push(next(consumer).await?);
    }
    Ok(taken)
}

async fn acknowledge(deliveries: Vec<Delivery>) -> Result<usize> {
    let last = deliveries.last().context("a message")?;
    last.ack(BasicAckOptions { multiple: true }).await?;
    Ok(deliveries.len())
}

#[tokio::test]
async fn a_batch_has_a_create_span_for_each_message_and_links_on_both_sides() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let batch = ["m-1", "m-2"].map(|id| to(&queue, BasicProperties::default().with_message_id(id.into())));
    let answers = soon(rabbit.producer().publish_batch(batch)).await??;
    assert_eq!(answers, [Confirmation::Ack(None), Confirmation::Ack(None)]);
    let mut consumer = rabbit.consumer(&queue).await?;
    let deliveries = take(&mut consumer, 2).await?;
    assert_eq!(consumer.process_batch(deliveries, acknowledge).await?, 2);
    rabbit.capture.assert_trace(&format!(
        "
         create {queue}   shop       PRODUCER  {{messaging.message.id=m-1, messaging.operation.type=create}}
         create {queue}   shop       PRODUCER  {{messaging.message.id=m-2}}
         publish {queue}  shop       CLIENT    → create {queue}, create {queue}  {{messaging.batch.message_count=2}}
         process {queue}  warehouse  CONSUMER  → create {queue}, create {queue}  {{messaging.batch.message_count=2}}"
    ));
    let process = rabbit.capture.span(&format!("process {queue}"));
    for (link, (tag, id)) in process.links().iter().zip([(1, "m-1"), (2, "m-2")]) {
        let own =
            [KeyValue::new("messaging.rabbitmq.message.delivery_tag", tag), KeyValue::new("messaging.message.id", id)];
        assert_eq!(link.attributes, own);
    }
    for counter in ["messaging.client.sent.messages", "messaging.client.consumed.messages"] {
        assert_eq!(rabbit.capture.metric(counter).value(), 2.0);
    }
    Ok(())
}

#[tokio::test]
async fn without_create_spans_the_messages_carry_the_batchs_context_and_no_older_one() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.shop().create_spans(false);
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &settings);
    let old = with_headers([
        ("TRACEPARENT", text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        ("tracestate", text("old=1")),
        ("baggage", text("old=1")),
        ("tenant", AMQPValue::LongInt(1)),
    ]);
    soon(producer.publish_batch([to(&queue, old), to(&queue, BasicProperties::default())])).await??;
    let sent = rabbit.capture.span(&format!("publish {queue}"));
    for expected in [&["tenant", "traceparent"][..], &["traceparent"]] {
        let headers = rabbit.headers(&queue).await?;
        assert_eq!(headers.inner().keys().map(ShortString::as_str).collect::<Vec<_>>(), expected);
        let traceparent = headers.inner().get("traceparent").and_then(AMQPValue::as_long_string);
        assert!(traceparent.is_some_and(|value| value.to_string().contains(&sent.span_id().to_string())));
    }
    assert_eq!(sent.kind(), SpanKind::Producer);
    let linked: Vec<_> = sent.links().iter().map(|link| link.span_context.span_id().to_string()).collect();
    assert_eq!(linked, ["b7ad6b7169203331"], "what is replaced is linked");
    Ok(())
}

#[tokio::test]
async fn a_batch_leaves_a_context_that_is_to_be_kept_and_links_it() -> Result<()> {
    for create_spans in [true, false] {
        let rabbit = Rabbit::new().await?;
        let queue = rabbit.queue().await?;
        let settings = rabbit.shop().create_spans(create_spans).existing_context(ExistingContext::Keep);
        let producer = TracedProducer::with_settings(rabbit.channel.clone(), &settings);
        let kept = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        soon(producer.publish_batch([to(&queue, with_headers([("traceparent", text(kept))]))])).await??;
        let headers = rabbit.headers(&queue).await?;
        assert_eq!(headers.inner().get("traceparent"), Some(&text(kept)));
        let sent = rabbit.capture.span(&format!("publish {queue}"));
        assert_eq!(sent.links().len(), 1);
        assert_eq!(rabbit.capture.spans().len(), 1, "no create span");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_that_writes_nothing_leaves_the_properties_as_they_are() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.shop().create_spans(false).enabled(false);
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &settings);
    soon(producer.publish_batch([to(&queue, BasicProperties::default())])).await??;
    let message = rabbit.pull(&queue).await?.context("a message")?;
    assert_eq!(message.properties, BasicProperties::default());
    Ok(())
}

#[tokio::test]
async fn one_bad_answer_is_the_batchs_error_and_all_answers_are_given() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let nobody: ShortString = "nobody".into();
    let batch = [&queue, &nobody, &queue].map(|queue| to(queue, BasicProperties::default()));
    let answers = soon(rabbit.producer().publish_batch(batch)).await??;
    let returned = answers.into_iter().map(|answer| answer.take_message().map(|message| message.reply_code));
    assert_eq!(returned.collect::<Vec<_>>(), [None, Some(312), None]);
    rabbit.capture.assert_trace(&format!(
        "
         create {queue}   shop  PRODUCER
         create nobody    shop  PRODUCER
         create {queue}   shop  PRODUCER
         publish          shop  CLIENT    → create {queue}, create {queue}, create nobody  ✗ NO_ROUTE"
    ));
    Ok(())
}

#[tokio::test]
async fn a_batch_from_several_routing_keys_stands_under_its_queue_and_carries_nobodys_baggage() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let exchange = rabbit.exchange(lapin::ExchangeKind::Topic, &queue, "#").await?;
    for key in ["order.created", "order.paid"] {
        let headers = with_headers([("baggage", text("tenant=acme"))]);
        soon(crate::channel::bare(&rabbit.channel, exchange.as_str(), key, headers).await?).await??;
    }
    let mut consumer = rabbit.consumer(&queue).await?;
    let deliveries = take(&mut consumer, 2).await?;
    let failed = consumer.process_batch(deliveries, async |_| {
        assert!(Context::current().baggage().is_empty());
        Err::<(), _>(anyhow!("no"))
    });
    failed.await.expect_err("the handler's");
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER  ✗ _OTHER"));
    let missing = rabbit.capture.metric("traced.context.missing");
    assert_eq!((missing.value(), missing.attribute("traced.context.reason")), (2.0, Some(&"absent".into())));
    Ok(())
}
