//! Spans that wait for an acknowledgement: which of them end together, and what ends them when none comes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lapin::options::{BasicAckOptions, BasicNackOptions, QueueDeleteOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, ConnectionProperties};
use test_brokers::RabbitMq;
use traced_rabbitmq::{OpenDelivery, PullConsumer, TracedConsumer};

use crate::channel::{Rabbit, next, soon, unique};
use crate::proxy::Proxy;

const MULTIPLE: BasicAckOptions = BasicAckOptions { multiple: true };

/// Publishes and starts this many messages.
async fn start(
    rabbit: &Rabbit,
    queue: &ShortString,
    consumer: &mut TracedConsumer,
    messages: usize,
) -> Result<Vec<OpenDelivery>> {
    let mut started = Vec::new();
    for _ in 0..messages {
        rabbit.publish_bare(queue, BasicProperties::default()).await?;
        started.push(next(consumer).await?.start());
    }
    Ok(started)
}

/// What the ended spans of the queue were, in the order in which they ended.
#[track_caller]
fn assert_ended(rabbit: &Rabbit, expected: &[&str]) {
    let spans = rabbit.capture.spans();
    let of = |span: &traced_envelope::testing::CapturedSpan| {
        span.attribute("error.type").map_or_else(|| "ok".to_owned(), ToString::to_string)
    };
    assert_eq!(spans.iter().map(of).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn one_acknowledgement_of_many_ends_them_all_and_none_after_it() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let mut started = start(&rabbit, &queue, &mut consumer, 4).await?;
    let (fourth, third) = (started.pop().context("4")?, started.pop().context("3")?);
    started.into_iter().for_each(OpenDelivery::leave_open);
    assert_ended(&rabbit, &[]);
    assert!(third.ack(MULTIPLE).await?);
    assert_ended(&rabbit, &["ok", "ok", "ok"]);
    assert_eq!(rabbit.capture.open_spans().len(), 1);
    assert!(fourth.ack(BasicAckOptions::default()).await?);
    assert_ended(&rabbit, &["ok"; 4]);
    rabbit.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn one_nack_of_many_is_an_error_of_them_all() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let started = start(&rabbit, &queue, &mut consumer, 3).await?;
    assert!(started[2].nack(BasicNackOptions { multiple: true, requeue: false }).await?);
    drop(started);
    assert_ended(&rabbit, &["nack"; 3]);
    Ok(())
}

#[tokio::test]
async fn consumers_of_one_channel_share_their_open_spans_as_they_share_delivery_tags() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (orders, refunds) = (rabbit.queue().await?, rabbit.queue().await?);
    let mut first = rabbit.consumer(&orders).await?;
    let mut second = rabbit.consumer(&refunds).await?.with_open_spans(first.open_spans().clone());
    let orders = start(&rabbit, &orders, &mut first, 2).await?;
    let refunds = start(&rabbit, &refunds, &mut second, 1).await?;
    assert!(refunds[0].ack(MULTIPLE).await?);
    assert_ended(&rabbit, &["ok"; 3]);
    assert!(second.open_spans().is_empty());
    drop((orders, refunds));
    assert_ended(&rabbit, &["ok"; 3]);
    Ok(())
}

#[tokio::test]
async fn what_is_left_open_for_ever_is_cancelled_with_its_consumer() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    start(&rabbit, &queue, &mut consumer, 2).await?.into_iter().for_each(OpenDelivery::leave_open);
    assert_eq!(consumer.open_spans().len(), 2);
    drop(consumer);
    assert_ended(&rabbit, &["cancelled"; 2]);
    rabbit.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn the_time_limit_is_looked_at_with_each_call_and_a_late_acknowledgement_still_counts() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.warehouse().open_span_time_limit(Duration::ZERO);
    let mut consumer = TracedConsumer::with_settings(rabbit.consume(&queue).await?, &settings);
    let started = start(&rabbit, &queue, &mut consumer, 1).await?;
    assert_ended(&rabbit, &["timeout"]);
    assert!(started[0].ack(BasicAckOptions::default()).await?);
    drop(started);
    assert_ended(&rabbit, &["timeout"]);
    Ok(())
}

#[tokio::test]
async fn with_too_many_open_spans_the_oldest_ends_first() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.warehouse().open_span_limit(2);
    let mut consumer = TracedConsumer::with_settings(rabbit.consume(&queue).await?, &settings);
    let started = start(&rabbit, &queue, &mut consumer, 3).await?;
    assert_ended(&rabbit, &["cancelled"]);
    let tag = rabbit.capture.spans()[0].attribute("messaging.rabbitmq.message.delivery_tag").cloned();
    assert_eq!(tag, Some(1.into()));
    assert!(started[2].ack(MULTIPLE).await?);
    drop(started);
    assert_ended(&rabbit, &["cancelled", "ok", "ok"]);
    Ok(())
}

#[tokio::test]
async fn a_channel_that_the_broker_closes_ends_them_with_its_reason() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let started = start(&rabbit, &queue, &mut consumer, 2).await?;
    // An exchange that is not there.
    let refused = crate::channel::bare(&rabbit.channel, "missing", "", BasicProperties::default()).await?;
    soon(refused).await?.expect_err("no such exchange");
    let error = soon(consumer.next()).await?.context("lapin's error")?.expect_err("the channel is closed");
    assert!(error.to_string().contains("NOT_FOUND"), "{error}");
    assert_ended(&rabbit, &["NOT_FOUND"; 2]);
    assert!(!started[0].ack(BasicAckOptions::default()).await?, "lapin's answer on a lost channel");
    drop(started);
    assert_ended(&rabbit, &["NOT_FOUND"; 2]);
    Ok(())
}

#[tokio::test]
async fn an_acknowledgement_on_a_lost_channel_was_not_sent_and_says_so() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let started = start(&rabbit, &queue, &mut consumer, 1).await?;
    let refused = crate::channel::bare(&rabbit.channel, "missing", "", BasicProperties::default()).await?;
    soon(refused).await?.expect_err("no such exchange");
    assert!(!started[0].ack(BasicAckOptions::default()).await?);
    assert_ended(&rabbit, &["not_settled"]);
    Ok(())
}

/// A graceful shutdown: cancel the consumer, finish what was delivered, acknowledge it.
#[tokio::test]
async fn what_was_delivered_can_be_acknowledged_after_its_stream_has_ended() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let mut started = start(&rabbit, &queue, &mut consumer, 2).await?;
    rabbit.channel.basic_cancel(consumer.get_ref().tag(), Default::default()).await?;
    assert!(soon(consumer.next()).await?.is_none());
    assert_ended(&rabbit, &[]);
    assert!(started.remove(0).ack(BasicAckOptions::default()).await?);
    assert_ended(&rabbit, &["ok"]);
    drop(started);
    assert_ended(&rabbit, &["ok", "cancelled"]);
    rabbit.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn pulled_messages_wait_for_their_acknowledgement_too() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    for _ in 0..3 {
        rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    }
    for last in [false, false, true] {
        let delivery = soon(consumer.basic_get(queue.clone(), Default::default())).await??.context("a message")?;
        let delivery = delivery.start();
        if last {
            assert_eq!(consumer.open_spans().len(), 3);
            assert!(delivery.ack(MULTIPLE).await?);
        } else {
            delivery.leave_open();
        }
    }
    assert_ended(&rabbit, &["ok"; 3]);
    assert!(consumer.open_spans().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_pull_shares_the_open_spans_of_its_channels_consumer() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (orders, refunds) = (rabbit.queue().await?, rabbit.queue().await?);
    let mut consumer = rabbit.consumer(&orders).await?;
    let pulling = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse())
        .with_open_spans(consumer.open_spans().clone());
    let orders = start(&rabbit, &orders, &mut consumer, 2).await?;
    rabbit.publish_bare(&refunds, BasicProperties::default()).await?;
    let refund = soon(pulling.basic_get(refunds.clone(), Default::default())).await??.context("a message")?.start();
    assert!(refund.ack(MULTIPLE).await?);
    assert_ended(&rabbit, &["ok"; 3]);
    drop(orders);
    assert_ended(&rabbit, &["ok"; 3]);
    Ok(())
}

#[tokio::test]
async fn each_message_that_arrives_looks_at_the_time_limit() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.warehouse().open_span_time_limit(Duration::from_millis(50));
    let mut consumer = TracedConsumer::with_settings(rabbit.consume(&queue).await?, &settings);
    let started = start(&rabbit, &queue, &mut consumer, 1).await?;
    assert_ended(&rabbit, &[]);
    let arriving = async {
        while rabbit.capture.spans().is_empty() {
            rabbit.publish_bare(&queue, BasicProperties::default()).await?;
            next(&mut consumer).await?;
        }
        anyhow::Ok(())
    };
    soon(arriving).await??;
    assert_ended(&rabbit, &["timeout"]);
    drop(started);
    Ok(())
}

/// After lapin has recovered a connection, delivery tags start again at 1 and the message comes again. The old delivery's handle
/// once ended the new delivery's span, because both have the tag 1.
#[tokio::test]
async fn after_a_recovered_connection_the_same_tag_is_another_delivery() -> Result<()> {
    let server = RabbitMq::shared().await?;
    let proxy = Proxy::start(server.url()).await?;
    let rabbit = Rabbit::connect(proxy.url(), ConnectionProperties::default().enable_auto_recover()).await?;
    // Not exclusive: it must be there after the connection has gone.
    let queue = unique("recovered");
    rabbit.channel.queue_declare(queue.clone(), Default::default(), Default::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let old = start(&rabbit, &queue, &mut consumer, 1).await?;

    proxy.cut();
    let new = next(&mut consumer).await?.start();
    assert_eq!((old[0].get_ref().delivery_tag, new.get_ref().delivery_tag), (1, 1));
    assert!(new.get_ref().redelivered);
    assert_ended(&rabbit, &["cancelled"]);
    assert!(!old[0].ack(BasicAckOptions::default()).await?, "the broker has forgotten it");
    drop(old);
    assert_ended(&rabbit, &["cancelled"]);
    assert!(new.ack(BasicAckOptions::default()).await?);
    assert_ended(&rabbit, &["cancelled", "ok"]);
    rabbit.capture.assert_no_open_spans();
    rabbit.channel.queue_delete(queue, QueueDeleteOptions::default()).await?;
    Ok(())
}

/// An acknowledgement of many once ended spans of before the recovery as well, whose messages come again.
#[tokio::test]
async fn after_a_recovered_connection_many_are_acknowledged_without_those_of_before() -> Result<()> {
    let server = RabbitMq::shared().await?;
    let proxy = Proxy::start(server.url()).await?;
    let rabbit = Rabbit::connect(proxy.url(), ConnectionProperties::default().enable_auto_recover()).await?;
    let queue = unique("recovered");
    rabbit.channel.queue_declare(queue.clone(), Default::default(), Default::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let before = start(&rabbit, &queue, &mut consumer, 2).await?;
    assert!(before[0].ack(BasicAckOptions::default()).await?);
    assert_eq!(before[1].get_ref().delivery_tag, 2);

    proxy.cut();
    let first = next(&mut consumer).await?.start();
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let passed_over = next(&mut consumer).await?; // it would take the place of the one from before
    let third = start(&rabbit, &queue, &mut consumer, 1).await?;
    assert_eq!((passed_over.get_ref().delivery_tag, third[0].get_ref().delivery_tag), (2, 3));
    assert!(third[0].ack(MULTIPLE).await?);
    assert_ended(&rabbit, &["ok"; 3]);
    assert_eq!(consumer.open_spans().len(), 1);
    drop((before, first, third));
    assert_ended(&rabbit, &["ok", "ok", "ok", "cancelled"]);
    rabbit.channel.queue_delete(queue, QueueDeleteOptions::default()).await?;
    Ok(())
}
