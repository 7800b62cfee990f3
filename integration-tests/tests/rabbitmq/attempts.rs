//! Which attempt a delivery is, by what the broker really writes.

use anyhow::{Context as _, Result, anyhow, ensure};
use lapin::BasicProperties;
use lapin::options::{BasicAckOptions, BasicNackOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::AMQPValue;
use traced_rabbitmq::TracedConsumer;

use crate::channel::{Rabbit, attribute, consume, next, table, text, unique};

/// The number that each process span of the queue has, in their order.
fn attempts(rabbit: &Rabbit) -> Vec<String> {
    let spans = rabbit.capture.spans().into_iter().filter(|span| span.name().starts_with("process"));
    spans.filter_map(|span| attribute(&span, "traced.message.attempt")).collect()
}

#[tokio::test]
async fn a_redelivered_message_is_at_its_second_attempt_at_least() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    for attempt in [1, 2, 2] {
        let delivery = next(&mut consumer).await?;
        assert_eq!(delivery.attempt(), attempt, "a classic queue does not count");
        let requeue = BasicNackOptions { requeue: true, multiple: false };
        delivery.process(async move |delivery| delivery.nack(requeue).await).await?;
    }
    assert_eq!(attempts(&rabbit), ["1", "2", "2"]);
    Ok(())
}

/// A channel that is lost with unsettled messages is what a quorum queue counts in every release.
#[tokio::test]
async fn a_quorum_queue_counts_the_failed_deliveries() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = unique("quorum");
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let arguments = table([("x-queue-type", text("quorum"))]);
    rabbit.channel.queue_declare(queue.clone(), options, arguments).await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    for attempt in 1..=3 {
        let channel = rabbit.another_channel().await?;
        let mut consumer = TracedConsumer::with_settings(consume(&channel, &queue).await?, &rabbit.warehouse());
        let delivery = next(&mut consumer).await?;
        assert_eq!(delivery.attempt(), attempt, "{:?}", delivery.get_ref().properties.headers());
        delivery.process(async |_| anyhow::Ok(())).await?;
        channel.close(200, "".into()).await?;
    }
    assert_eq!(attempts(&rabbit), ["1", "2", "3"]);
    rabbit.channel.queue_delete(queue, QueueDeleteOptions::default()).await?;
    Ok(())
}

/// The message is dead-lettered twice for each retry, by the queue and by the one in which it waits: that is one attempt, not two.
#[tokio::test]
async fn a_loop_over_a_waiting_queue_counts_each_attempt_once() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (work, wait) = (unique("work"), unique("wait"));
    let dead_letters_to =
        |queue: &str| [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(queue))];
    rabbit.queue_named(work.clone(), dead_letters_to(wait.as_str())).await?;
    let [exchange, key] = dead_letters_to(work.as_str());
    rabbit.queue_named(wait, [exchange, key, ("x-message-ttl", AMQPValue::LongInt(1))]).await?;
    rabbit.publish(&work).await?;
    let mut consumer = rabbit.consumer(&work).await?;
    for attempt in 1..=3 {
        let delivery = next(&mut consumer).await?;
        assert_eq!(delivery.attempt(), attempt, "{:?}", delivery.get_ref().properties.headers());
        delivery.process_and_settle(async |_| Err::<(), _>(anyhow!("not yet"))).await.expect_err("not yet");
    }
    assert_eq!(attempts(&rabbit), ["1", "2", "3"]);
    // The broker keeps our headers: all attempts are below the one publisher.
    let line = format!("  process {work}  warehouse  CONSUMER  → publish {work}  ✗ _OTHER\n");
    rabbit.capture.assert_trace(&format!("publish {work}  shop  PRODUCER\n{}", line.repeat(3)));
    Ok(())
}

#[tokio::test]
async fn our_own_retry_counts_in_a_header_that_everyone_can_read() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, producer) = (rabbit.queue().await?, rabbit.producer());
    rabbit.publish(&queue).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    for number in 1..=3 {
        let delivery = next(&mut consumer).await?;
        let attempt = delivery.attempt();
        assert_eq!(attempt, number);
        let header =
            delivery.get_ref().properties.headers().as_ref().and_then(|it| it.inner().get("x-attempt")).cloned();
        assert_eq!(header, (number > 1).then(|| text(&number.to_string())));
        let (producer, queue) = (&producer, &queue);
        delivery
            .process(async move |delivery| {
                if attempt == 3 {
                    ensure!(delivery.ack(BasicAckOptions::default()).await?);
                } else {
                    producer.retry(&delivery, attempt, "".into(), queue.clone()).await?;
                }
                Ok(())
            })
            .await?;
    }
    assert_eq!(attempts(&rabbit), ["1", "2", "3"]);
    assert!(rabbit.pull(&queue).await?.is_none());
    rabbit.capture.forest().roots().next().context("a trace")?;
    rabbit.capture.assert_one_trace();
    Ok(())
}
