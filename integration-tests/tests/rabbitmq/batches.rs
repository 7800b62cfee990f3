//! Many messages with one span, on both sides.

use anyhow::{Context as _, Result, anyhow};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
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
    assert_eq!(sent(&rabbit), [(2.0, None), (1.0, Some("NO_ROUTE".to_owned()))]);
    Ok(())
}

/// What the counter of sent messages says: how many, with which error.
fn sent(rabbit: &Rabbit) -> Vec<(f64, Option<String>)> {
    let metrics = rabbit.capture.metrics().into_iter();
    let sent = metrics.filter(|metric| metric.name() == "messaging.client.sent.messages");
    let mut sent: Vec<_> =
        sent.map(|metric| (metric.value(), metric.attribute("error.type").map(ToString::to_string))).collect();
    sent.sort_by(|one, other| one.1.cmp(&other.1));
    sent
}

#[tokio::test]
async fn an_empty_batch_makes_no_span_and_counts_nothing() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    assert!(soon(rabbit.producer().publish_batch([])).await??.is_empty());
    assert!(rabbit.capture.spans().is_empty() && rabbit.capture.metrics().is_empty());
    Ok(())
}

#[tokio::test]
async fn messages_of_a_batch_that_were_never_tried_are_not_counted() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.channel.close(200, "".into()).await?;
    let batch = [0; 3].map(|_| to(&queue, BasicProperties::default()));
    rabbit.producer().publish_batch(batch).await.expect_err("the channel is closed");
    assert_eq!(sent(&rabbit), [(1.0, Some("invalid_channel_state".to_owned()))]);
    Ok(())
}

/// A long batch, so that it is dropped in the middle: where lapin was faster than this test, once more.
#[tokio::test]
async fn of_a_batch_that_is_dropped_in_the_middle_those_that_arrive_are_counted() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &rabbit.shop().create_spans(false));
    loop {
        let batch = vec![to(&queue, BasicProperties::default()); 200];
        let dropped = producer.publish_batch(batch).now_or_never().is_none();
        soon(rabbit.channel.wait_for_confirms()).await??;
        let arrived = soon(rabbit.channel.queue_purge(queue.clone(), Default::default())).await??;
        assert!(arrived > 0);
        if dropped && arrived < 200 {
            rabbit.capture.assert_trace(&format!("publish {queue}  shop  PRODUCER  ✗ cancelled"));
            assert_eq!(sent(&rabbit), [(f64::from(arrived), None)]);
            return Ok(());
        }
        rabbit.capture.clear();
    }
}

#[tokio::test]
async fn a_batch_that_is_dropped_while_its_last_message_is_written_is_no_error() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    while rabbit.producer().publish_batch([to(&queue, BasicProperties::default())]).now_or_never().is_some() {
        rabbit.capture.clear();
    }
    rabbit.capture.assert_trace(&format!(
        "
         create {queue}   shop  PRODUCER
         publish {queue}  shop  CLIENT    → create {queue}"
    ));
    assert_eq!(sent(&rabbit), [(1.0, None)]);
    Ok(())
}

/// Names with ids in them: the metrics have those of as many destinations as other publishing gets, and no more.
#[tokio::test]
async fn batches_to_ever_new_routing_keys_do_not_fill_the_metrics() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let exchange = rabbit.exchange(lapin::ExchangeKind::Direct, &queue, "").await?;
    let producer = TracedProducer::with_settings(rabbit.channel.clone(), &rabbit.shop().create_spans(false));
    let publishing = (0..1_100).map(|number| {
        let routing_key = format!("user-{number}").into();
        let message =
            BatchMessage { exchange: exchange.clone(), routing_key, ..to(&queue, BasicProperties::default()) };
        let options = BasicPublishOptions::default();
        producer.publish_batch([BatchMessage { options, ..message }])
    });
    for answers in soon(join_all(publishing)).await? {
        answers?;
    }
    let sent = sent(&rabbit);
    assert_eq!(sent.len(), 1_025, "1024 destinations, and all others together");
    assert_eq!(sent.iter().map(|(messages, _)| messages).sum::<f64>(), 1_100.0);
    Ok(())
}

#[tokio::test]
async fn a_batch_of_several_routing_keys_from_a_queue_that_the_broker_named_has_no_name() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue_named("".into(), []).await?;
    let exchange = rabbit.exchange(lapin::ExchangeKind::Topic, &queue, "#").await?;
    for key in ["order.created", "order.paid"] {
        soon(crate::channel::bare(&rabbit.channel, exchange.as_str(), key, Default::default()).await?).await??;
    }
    let mut consumer = rabbit.consumer(&queue).await?;
    let deliveries = take(&mut consumer, 2).await?;
    consumer.process_batch(deliveries, acknowledge).await?;
    rabbit.capture.assert_trace(&format!(
        "process  warehouse  CONSUMER  {{messaging.destination.name={queue}, messaging.destination.anonymous=true}}"
    ));
    for metric in rabbit.capture.metrics() {
        assert!(metric.attribute("messaging.destination.name").is_none(), "{metric:?}");
    }
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
