//! Settling: by `process_and_settle`, by the handler, or by hand on a delivery that was started.

use anyhow::{Result, anyhow};
use futures_util::FutureExt as _;
use lapin::BasicProperties;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use opentelemetry::trace::Tracer as _;
use traced_rabbitmq::TracedConsumer;

use crate::channel::{Rabbit, attribute, consume, next, text};

const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };
const DROP: BasicNackOptions = BasicNackOptions { multiple: false, requeue: false };

#[tokio::test]
async fn a_handlers_success_is_acknowledged() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish(&queue).await?;
    let channel = rabbit.another_channel().await?;
    let mut consumer = TracedConsumer::with_settings(consume(&channel, &queue).await?, &rabbit.warehouse());
    let data = next(&mut consumer).await?.process_and_settle(async |delivery| anyhow::Ok(delivery.data)).await?;
    assert_eq!(data, b"7");
    // What is not acknowledged would come back now.
    channel.close(200, "".into()).await?;
    assert!(rabbit.pull(&queue).await?.is_none());
    rabbit.capture.assert_trace(&format!(
        "publish {queue}       shop       PRODUCER
           process {queue}     warehouse  CONSUMER  → publish {queue}"
    ));
    Ok(())
}

#[tokio::test]
async fn a_handlers_error_comes_back_unchanged_and_the_message_goes_to_the_dead_letters() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let dead = rabbit.queue().await?;
    let letters = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(dead.as_str()))];
    let queue = rabbit.queue_with(letters).await?;
    rabbit.publish(&queue).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let error = next(&mut consumer).await?.process_and_settle(async |_| Err::<(), _>(anyhow!("out of stock"))).await;
    assert_eq!(error.expect_err("the handler's").to_string(), "out of stock");

    let mut dead_letters = rabbit.consumer(&dead).await?;
    next(&mut dead_letters).await?.process_and_settle(async |_| anyhow::Ok(())).await?;
    rabbit.capture.assert_trace(&format!(
        "publish {queue}       shop       PRODUCER
           process {queue}     warehouse  CONSUMER  → publish {queue}  ✗ _OTHER
           process {dead}      warehouse  CONSUMER  → publish {queue}"
    ));
    Ok(())
}

/// A list of tables, which no propagator and no hook can read as text.
#[tokio::test]
async fn where_a_message_died_is_on_the_span_that_asks_for_it() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let dead = rabbit.queue().await?;
    let letters = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(dead.as_str()))];
    let queue = rabbit.queue_with(letters).await?;
    rabbit.publish(&queue).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let failed = next(&mut consumer).await?.process_and_settle(async |_| Err::<(), _>(anyhow!("out of stock"))).await;
    failed.expect_err("the handler's");

    let settings = rabbit.warehouse().capture_headers(["x-death", "x-first-death-reason"]);
    let mut dead_letters = TracedConsumer::with_settings(consume(&rabbit.channel, &dead).await?, &settings);
    next(&mut dead_letters).await?.process_and_settle(async |_| anyhow::Ok(())).await?;
    let span = rabbit.capture.span(&format!("process {dead}"));
    assert_eq!(attribute(&span, "messaging.header.x-first-death-reason").as_deref(), Some(r#"["rejected"]"#));
    let deaths = attribute(&span, "messaging.header.x-death").unwrap_or_default();
    for part in ["reason: rejected", "count: 1", &format!("queue: {queue}"), &format!("routing-keys: [{queue}]")] {
        assert!(deaths.contains(part), "{part} is not in {deaths}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_message_goes_back_into_its_queue_where_that_is_asked_for() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish(&queue).await?;
    let mut consumer = rabbit.consumer(&queue).await?.requeue_on_error(true);
    next(&mut consumer).await?.process_and_settle(async |_| Err::<(), _>(anyhow!("once"))).await.expect_err("once");
    let again = next(&mut consumer).await?;
    assert!(again.get_ref().redelivered);
    again.process_and_settle(async |_| anyhow::Ok(())).await?;
    rabbit.capture.assert_trace(&format!(
        "publish {queue}       shop       PRODUCER
           process {queue}     warehouse  CONSUMER  → publish {queue}  ✗ _OTHER  {{traced.message.attempt=1}}
           process {queue}     warehouse  CONSUMER  → publish {queue}  {{traced.message.attempt=2}}"
    ));
    Ok(())
}

/// A handler that succeeded must not be reported as a failure, nor may the channel be lost: the broker closes it on an
/// acknowledgement that it did not wait for.
#[tokio::test]
async fn where_nothing_is_to_be_acknowledged_nothing_is_sent() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = rabbit.channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default()).await?;
    let settings = rabbit.warehouse().settle_spans(true);
    let mut consumer = TracedConsumer::with_settings(consumer, &settings).no_ack();
    rabbit.publish(&queue).await?;
    next(&mut consumer).await?.process_and_settle(async |_| anyhow::Ok(())).await?;
    rabbit.publish(&queue).await?;
    let failed = next(&mut consumer).await?.process_and_settle(async |_| Err::<(), _>(anyhow!("no"))).await;
    assert_eq!(failed.expect_err("the handler's").to_string(), "no");
    // The channel is still there.
    rabbit.publish(&queue).await?;
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;
    let line = |error| {
        format!("publish {queue}  shop  PRODUCER\n  process {queue}  warehouse  CONSUMER  → publish {queue}{error}\n")
    };
    rabbit.capture.assert_trace(&[line(""), line("  ✗ _OTHER"), line("")].concat());
    Ok(())
}

#[tokio::test]
async fn settle_spans_are_the_process_spans_children_for_those_who_ask() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.warehouse().settle_spans(true);
    let mut consumer = TracedConsumer::with_settings(rabbit.consume(&queue).await?, &settings);
    for number in 0..5 {
        rabbit.publish_bare(&queue, BasicProperties::default()).await?;
        let delivery = next(&mut consumer).await?;
        let settled = match number {
            0 => delivery.process_and_settle(async |_| anyhow::Ok(true)).await?,
            1 => delivery.process_and_settle(async |_| Err::<(), _>(anyhow!("no"))).await.is_err(),
            2 => delivery.start().ack(BasicAckOptions::default()).await?,
            3 => delivery.start().nack(DROP).await?,
            _ => delivery.start().reject(BasicRejectOptions { requeue: false }).await?,
        };
        assert!(settled);
    }
    rabbit.capture.assert_trace(&format!(
        "
         process {queue}   warehouse  CONSUMER
           ack {queue}     warehouse  CLIENT    {{messaging.operation.type=settle, messaging.operation.name=ack}}
         process {queue}   warehouse  CONSUMER  ✗ _OTHER
           nack {queue}    warehouse  CLIENT    {{messaging.rabbitmq.message.delivery_tag=2}}
         process {queue}   warehouse  CONSUMER
           ack {queue}     warehouse  CLIENT    {{messaging.rabbitmq.message.delivery_tag=3}}
         process {queue}   warehouse  CONSUMER  ✗ nack
           nack {queue}    warehouse  CLIENT
         process {queue}   warehouse  CONSUMER  ✗ reject
           reject {queue}  warehouse  CLIENT    {{messaging.operation.type=settle, messaging.operation.name=reject}}"
    ));
    Ok(())
}

#[tokio::test]
async fn a_started_delivery_is_processed_until_it_is_acknowledged() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish(&queue).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let delivery = next(&mut consumer).await?.start();
    let tracer = rabbit.capture.tracer("warehouse");
    drop(tracer.start_with_context("reserve stock", delivery.context()));
    assert_eq!(rabbit.capture.open_spans().len(), 1);
    assert!(delivery.ack(BasicAckOptions::default()).await?);
    rabbit.capture.assert_no_open_spans();
    drop(delivery);
    rabbit.capture.assert_trace(&format!(
        "publish {queue}         shop       PRODUCER
           process {queue}       warehouse  CONSUMER  → publish {queue}
             reserve stock       warehouse  INTERNAL"
    ));
    assert_eq!(rabbit.capture.metric("messaging.client.consumed.messages").value(), 1.0);
    assert_eq!(rabbit.capture.metric("messaging.process.duration").count(), Some(1));
    Ok(())
}

#[tokio::test]
async fn a_nack_and_a_reject_are_errors_of_that_name() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    assert!(next(&mut consumer).await?.start().nack(REQUEUE).await?);
    assert!(next(&mut consumer).await?.start().reject(BasicRejectOptions { requeue: true }).await?);
    assert!(next(&mut consumer).await?.start().ack(BasicAckOptions::default()).await?);
    rabbit.capture.assert_trace(&format!(
        "
         process {queue}  warehouse  CONSUMER  ✗ nack    {{traced.message.attempt=1}}
         process {queue}  warehouse  CONSUMER  ✗ reject  {{traced.message.attempt=2}}
         process {queue}  warehouse  CONSUMER  {{traced.message.attempt=2}}"
    ));
    Ok(())
}

#[tokio::test]
async fn the_second_acknowledgement_of_a_message_is_lapins_false_and_changes_nothing() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let delivery = next(&mut consumer).await?.start();
    assert!(delivery.ack(BasicAckOptions::default()).await?);
    assert!(!delivery.ack(BasicAckOptions::default()).await?);
    assert!(!delivery.nack(REQUEUE).await?);
    drop(delivery);
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER"));
    Ok(())
}

#[tokio::test]
async fn a_handler_that_settled_the_message_itself_gets_its_output_back_and_the_span_says_so() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let settled = next(&mut consumer).await?.process_and_settle(async |delivery| {
        assert!(delivery.ack(BasicAckOptions::default()).await?);
        anyhow::Ok("the output")
    });
    assert_eq!(settled.await?, "the output");
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER  ✗ not_settled"));
    Ok(())
}

/// lapin has queued the acknowledgement; where another thread has written it already, once more.
#[tokio::test]
async fn an_acknowledgement_that_is_dropped_on_its_way_counts() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let channel = rabbit.another_channel().await?;
    let settings = rabbit.warehouse().settle_spans(true);
    let mut consumer = TracedConsumer::with_settings(consume(&channel, &queue).await?, &settings);
    let delivery = loop {
        rabbit.capture.clear();
        rabbit.publish_bare(&queue, BasicProperties::default()).await?;
        let delivery = next(&mut consumer).await?.start();
        if delivery.ack(BasicAckOptions::default()).now_or_never().is_none() {
            break delivery;
        }
    };
    let settled = format!(
        "process {queue}  warehouse  CONSUMER
           ack {queue}     warehouse  CLIENT"
    );
    rabbit.capture.assert_trace(&settled);
    rabbit.capture.assert_no_open_spans();
    drop(delivery);
    rabbit.capture.assert_trace(&settled);
    // lapin acknowledges one after the other, so that the next one says that this one is written.
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    next(&mut consumer).await?.process_and_settle(async |_| anyhow::Ok(())).await?;
    // What is not acknowledged would come back now.
    channel.close(200, "".into()).await?;
    assert!(rabbit.pull(&queue).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_message_that_was_settled_behind_our_back_says_so() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let delivery = next(&mut consumer).await?.start();
    assert!(delivery.get_ref().acker.ack(BasicAckOptions::default()).await?);
    assert!(!delivery.ack(BasicAckOptions::default()).await?);
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER  ✗ not_settled"));
    Ok(())
}

#[tokio::test]
async fn a_delivery_that_is_dropped_unsettled_is_cancelled_unless_nobody_waits_for_it() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    drop(next(&mut consumer).await?.start());
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER  ✗ cancelled"));

    rabbit.capture.clear();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let other = rabbit.queue().await?;
    let consumer = rabbit.channel.basic_consume(other.clone(), "".into(), options, FieldTable::default()).await?;
    let mut consumer = TracedConsumer::with_settings(consumer, &rabbit.warehouse()).no_ack();
    rabbit.publish_bare(&other, BasicProperties::default()).await?;
    drop(next(&mut consumer).await?.start());
    rabbit.capture.assert_trace(&format!("process {other}  warehouse  CONSUMER"));
    Ok(())
}
