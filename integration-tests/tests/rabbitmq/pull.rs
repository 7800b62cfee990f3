//! Pulling messages one by one.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lapin::options::BasicGetOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, ExchangeKind};
use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use traced_rabbitmq::{PullConsumer, TracedDelivery};

use crate::channel::{Rabbit, attribute, bare, soon};

async fn pull(consumer: &PullConsumer, queue: &ShortString) -> Result<Option<TracedDelivery>> {
    Ok(soon(consumer.basic_get(queue.clone(), BasicGetOptions::default())).await??)
}

#[tokio::test]
async fn a_pulled_message_knows_how_many_are_left_and_is_processed_as_any_other() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    assert!(pull(&consumer, &queue).await?.is_none());
    for _ in 0..2 {
        rabbit.publish(&queue).await?;
    }
    for left in [1, 0] {
        let delivery = pull(&consumer, &queue).await?.context("a message")?;
        assert_eq!(delivery.message_count(), Some(left));
        delivery.process_and_settle(async |_| anyhow::Ok(())).await?;
    }
    assert!(pull(&consumer, &queue).await?.is_none());
    let one = format!(
        "publish {queue}       shop       PRODUCER
           process {queue}     warehouse  CONSUMER  → publish {queue}\n"
    );
    rabbit.capture.assert_trace(&one.repeat(2));
    Ok(())
}

/// Bug that this prevents: the second queue's messages stood under the first one's name.
#[tokio::test]
async fn each_queue_of_one_exchange_has_its_own_name_and_anonymity() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queues = [rabbit.queue().await?, rabbit.queue().await?, rabbit.queue_named("".into(), []).await?];
    let exchange = rabbit.exchange(ExchangeKind::Direct, &queues[0], "created").await?;
    for queue in &queues[1..] {
        let (queue, exchange) = (queue.clone(), exchange.clone());
        rabbit.channel.queue_bind(queue, exchange, "created".into(), Default::default(), Default::default()).await?;
    }
    soon(bare(&rabbit.channel, exchange.as_str(), "created", BasicProperties::default()).await?).await??;
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    for queue in &queues {
        let delivery = pull(&consumer, queue).await?.context("a message")?;
        delivery.process_and_settle(async |_| anyhow::Ok(())).await?;
    }
    let [first, second, _] = queues;
    rabbit.capture.assert_trace(&format!(
        "
         process {exchange}:created:{first}   warehouse  CONSUMER
         process {exchange}:created:{second}  warehouse  CONSUMER
         process                              warehouse  CONSUMER  {{messaging.destination.anonymous=true}}"
    ));
    Ok(())
}

#[tokio::test]
async fn a_failed_pull_ends_the_open_spans_of_its_channel() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    let open = pull(&consumer, &queue).await?.context("a message")?.start();
    consumer.basic_get("missing".into(), BasicGetOptions::default()).await.expect_err("no such queue");
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER  ✗ NOT_FOUND"));
    drop(open);
    assert_eq!(rabbit.capture.spans().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_empty_pull_looks_at_the_time_limit_of_open_spans() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let settings = rabbit.warehouse().open_span_time_limit(Duration::from_millis(50));
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &settings);
    let open = pull(&consumer, &queue).await?.context("a message")?.start();
    assert!(rabbit.capture.spans().is_empty());
    let pulling = async {
        while rabbit.capture.spans().is_empty() {
            assert!(pull(&consumer, &queue).await?.is_none());
        }
        anyhow::Ok(())
    };
    soon(pulling).await??;
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER  ✗ timeout"));
    drop(open);
    Ok(())
}

#[tokio::test]
async fn a_span_around_a_pull_stays_the_parent_and_the_publisher_is_linked() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish(&queue).await?;
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    let job = Context::new().with_span(rabbit.capture.tracer("warehouse").start("nightly job"));
    let work = async {
        let delivery = pull(&consumer, &queue).await?.context("a message")?;
        delivery.process_and_settle(async |_| anyhow::Ok(())).await
    };
    work.with_context(job.clone()).await?;
    job.span().end();
    rabbit.capture.assert_trace(&format!(
        "
         publish {queue}      shop       PRODUCER
         nightly job          warehouse  INTERNAL
           process {queue}    warehouse  CONSUMER  → publish {queue}"
    ));
    Ok(())
}

#[tokio::test]
async fn a_pull_that_brought_a_message_has_a_span_for_those_who_ask_and_an_empty_one_has_none() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let settings = rabbit.warehouse().receive_spans(true).message_sizes(true);
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &settings);
    assert!(pull(&consumer, &queue).await?.is_none());
    assert!(rabbit.capture.spans().is_empty());
    let properties = BasicProperties::default().with_message_id("m-1".into()).with_correlation_id("c-1".into());
    let (producer, options) = (rabbit.producer(), Default::default());
    soon(producer.publish("".into(), queue.clone(), options, b"seven", properties).await?).await??;
    let delivery = pull(&consumer, &queue).await?.context("a message")?;
    delivery.process_and_settle(async |_| anyhow::Ok(())).await?;
    assert!(pull(&consumer, &queue).await?.is_none());
    rabbit.capture.assert_trace(&format!(
        "
         publish {queue}       shop       PRODUCER
           process {queue}     warehouse  CONSUMER  → publish {queue}
         receive {queue}       warehouse  CLIENT    → publish {queue}  {{messaging.operation.type=receive}}"
    ));
    let receive = rabbit.capture.span(&format!("receive {queue}"));
    assert!(receive.duration() > std::time::Duration::ZERO, "it covers the call");
    assert_eq!(attribute(&receive, "messaging.batch.message_count"), None);
    for (name, value) in [
        ("messaging.rabbitmq.message.delivery_tag", "1"),
        ("messaging.message.id", "m-1"),
        ("messaging.message.conversation_id", "c-1"),
        ("messaging.message.body.size", "5"),
    ] {
        assert_eq!(attribute(&receive, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(rabbit.capture.metric("messaging.client.consumed.messages").value(), 1.0, "counted once");
    Ok(())
}

#[tokio::test]
async fn a_pull_without_acknowledgements_settles_nothing() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    let options = BasicGetOptions { no_ack: true };
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let first = soon(consumer.basic_get(queue.clone(), options)).await??.context("a message")?;
    drop(first.start());
    let second = soon(consumer.basic_get(queue.clone(), options)).await??.context("a message")?;
    second.process_and_settle(async |_| anyhow::Ok(())).await?;
    // The broker closes a channel on an acknowledgement that it did not wait for.
    assert!(pull(&consumer, &queue).await?.is_none());
    let line = format!("process {queue}  warehouse  CONSUMER\n");
    rabbit.capture.assert_trace(&line.repeat(2));
    Ok(())
}

#[tokio::test]
async fn a_pull_from_a_missing_queue_gives_lapins_own_error_and_no_span() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let settings = rabbit.warehouse().receive_spans(true);
    let consumer = PullConsumer::with_settings(rabbit.channel.clone(), &settings);
    let bare = rabbit.another_channel().await?.basic_get("missing".into(), BasicGetOptions::default()).await;
    let error = consumer.basic_get("missing".into(), BasicGetOptions::default()).await.expect_err("no such queue");
    assert_eq!(error.to_string(), bare.expect_err("no such queue").to_string());
    assert!(rabbit.capture.spans().is_empty());
    Ok(())
}
