//! The ways to consume: `next`, the stream, lapin's delegate as closure and as type, `set_handler`.

use std::future::Future;
use std::pin::Pin;

use anyhow::{Context as _, Result, anyhow};
use lapin::message::DeliveryResult;
use lapin::options::{BasicAckOptions, BasicCancelOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, ConsumerDelegate};
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use traced_rabbitmq::Outcome;

use crate::channel::{Rabbit, next, soon};

fn trace_of(queue: &str) -> String {
    format!(
        "publish {queue}         shop       PRODUCER
           process {queue}       warehouse  CONSUMER  → publish {queue}
             reserve stock       warehouse  INTERNAL\n"
    )
}

#[tokio::test]
async fn next_needs_no_trait_and_says_none_when_the_consumer_is_cancelled() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let tracer = rabbit.capture.tracer("warehouse");
    for _ in 0..2 {
        rabbit.publish(&queue).await?;
        let delivery = next(&mut consumer).await?;
        delivery
            .process_and_settle(async |_| {
                drop(tracer.start("reserve stock"));
                anyhow::Ok(())
            })
            .await?;
    }
    let tag = consumer.get_ref().tag();
    rabbit.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
    assert!(soon(consumer.next()).await?.is_none());
    rabbit.capture.assert_trace(&trace_of(queue.as_str()).repeat(2));
    Ok(())
}

#[tokio::test]
async fn the_consumer_is_a_stream() -> Result<()> {
    use futures_util::StreamExt as _;
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish(&queue).await?;
    rabbit.publish(&queue).await?;
    let tracer = rabbit.capture.tracer("warehouse");
    let processed = rabbit.consumer(&queue).await?.take(2).for_each_concurrent(2, async |delivery| {
        let delivery = delivery.expect("a delivery");
        delivery
            .process(async |delivery| {
                drop(tracer.start("reserve stock"));
                delivery.ack(BasicAckOptions::default()).await
            })
            .await
            .expect("acknowledged");
    });
    soon(processed).await?;
    rabbit.capture.assert_trace(&trace_of(queue.as_str()).repeat(2));
    Ok(())
}

#[tokio::test]
async fn process_with_takes_any_output_and_asks_how_it_ended() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    for rows in [1, 0, 2] {
        rabbit.publish_bare(&queue, BasicProperties::default()).await?;
        let stored = next(&mut consumer).await?.process_with(
            async |_| rows,
            |rows| match rows {
                0 => Outcome::error("nothing_stored", "no row was written"),
                1 => Outcome::Ok,
                _ => Outcome::Deferred,
            },
        );
        assert_eq!(stored.await, rows);
    }
    rabbit.capture.assert_trace(&format!(
        "
         process {queue}  warehouse  CONSUMER
         process {queue}  warehouse  CONSUMER  ✗ nothing_stored
         process {queue}  warehouse  CONSUMER"
    ));
    Ok(())
}

#[tokio::test]
async fn an_error_of_a_handler_comes_back_unchanged_and_names_the_span() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let typed = next(&mut consumer).await?.process(async |_| Err::<(), _>(std::fmt::Error)).await;
    assert_eq!(typed, Err(std::fmt::Error));
    let erased = next(&mut consumer).await?.process(async |_| Err::<(), _>(anyhow!("out of stock"))).await;
    assert_eq!(erased.expect_err("the handler's").to_string(), "out of stock");
    rabbit.capture.assert_trace(&format!(
        "
         process {queue}  warehouse  CONSUMER  ✗ core::fmt::Error
         process {queue}  warehouse  CONSUMER  ✗ _OTHER"
    ));
    Ok(())
}

/// lapin calls it from a thread where no context is current.
#[tokio::test]
async fn a_closure_as_lapins_delegate_runs_inside_the_process_span() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (consumer, tracer) = (rabbit.consumer(&queue).await?, rabbit.capture.tracer("warehouse"));
    consumer.set_delegate(move |delivery: DeliveryResult| {
        let tracer = tracer.clone();
        async move {
            if let Ok(Some(delivery)) = delivery {
                delivery.ack(BasicAckOptions::default()).await.expect("acknowledged");
                drop(tracer.start("reserve stock"));
            }
        }
    });
    rabbit.publish(&queue).await?;
    rabbit.publish(&queue).await?;
    soon(rabbit.capture.spans_ended(6)).await?;
    rabbit.capture.assert_trace(&trace_of(queue.as_str()).repeat(2));
    Ok(())
}

struct Clerk {
    tracer: SdkTracer,
    told: UnboundedSender<&'static str>,
}

impl ConsumerDelegate for Clerk {
    fn on_new_delivery(&self, delivery: DeliveryResult) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let event = match &delivery {
            Ok(Some(_)) => "message",
            Ok(None) => "cancelled",
            Err(_) => "error",
        };
        self.told.send(event).ok();
        let (tracer, inside) = (self.tracer.clone(), Context::current().has_active_span());
        Box::pin(async move {
            if let Ok(Some(delivery)) = delivery {
                assert!(inside, "the call itself is inside the span too");
                drop(tracer.start("reserve stock"));
                assert_eq!(delivery.ack(BasicAckOptions::default()).await, Ok(true));
            }
        })
    }

    fn drop_prefetched_messages(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.told.send("prefetched").ok();
        Box::pin(async {})
    }
}

/// Notes the tags in the order of the calls, and whether the call is inside a span; the third one panics.
struct Notes(UnboundedSender<(u64, bool)>);

impl ConsumerDelegate for Notes {
    fn on_new_delivery(&self, delivery: DeliveryResult) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if let Ok(Some(delivery)) = delivery {
            self.0.send((delivery.delivery_tag, Context::current().has_active_span())).ok();
            assert_ne!(delivery.delivery_tag, 3, "the third");
        }
        Box::pin(async {})
    }
}

/// lapin calls a delegate itself, one message after the other, and spawns only what it gives back.
#[tokio::test]
async fn a_delegate_is_called_where_lapin_calls_it_and_in_its_order() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    for _ in 0..3 {
        rabbit.publish(&queue).await?;
    }
    let consumer = rabbit.consumer(&queue).await?;
    all_fetched(&rabbit, &queue).await?;
    let (told, mut notes) = unbounded_channel();
    let around = Context::new().with_span(rabbit.capture.tracer("warehouse").start("set up"));
    let panicked = {
        let _around = around.clone().attach();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| consumer.set_delegate(Notes(told))))
    };
    around.span().end();
    panicked.expect_err("as the delegate did");
    for tag in 1..=3 {
        assert_eq!(notes.try_recv(), Ok((tag, true)), "called when `set_delegate` has returned");
    }
    soon(rabbit.capture.spans_ended(7)).await?;
    let one = format!(
        "publish {queue}        shop       PRODUCER\n  process {queue}      warehouse  CONSUMER  → publish {queue}"
    );
    rabbit.capture.assert_trace(&format!("{one}\n{one}\n{one}  ✗ panic\nset up  warehouse  INTERNAL"));
    Ok(())
}

/// Waits until the client has all messages of the queue.
async fn all_fetched(rabbit: &Rabbit, queue: &ShortString) -> Result<()> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let waiting = async {
        while rabbit.channel.queue_declare(queue.clone(), passive, FieldTable::default()).await?.message_count() > 0 {}
        anyhow::Ok(())
    };
    soon(waiting).await?
}

#[tokio::test]
async fn a_type_as_lapins_delegate_is_told_everything_that_lapin_tells() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (told, mut events) = unbounded_channel();
    let consumer = rabbit.consumer(&queue).await?;
    consumer.set_delegate(Clerk { tracer: rabbit.capture.tracer("warehouse"), told });
    rabbit.publish(&queue).await?;
    soon(rabbit.capture.spans_ended(3)).await?;
    // lapin tells a delegate only of what the broker cancels.
    rabbit.channel.queue_delete(queue.clone(), QueueDeleteOptions::default()).await?;
    let mut seen = vec![soon(events.recv()).await?.context("the delegate is gone")?];
    while seen.last() != Some(&"cancelled") {
        seen.push(soon(events.recv()).await?.context("the delegate is gone")?);
    }
    assert_eq!(seen.first(), Some(&"message"));
    rabbit.capture.assert_trace(&trace_of(queue.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_handler_that_is_set_gets_deliveries_that_say_how_they_ended_and_then_none() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (told, mut ended) = unbounded_channel();
    let consumer = rabbit.consumer(&queue).await?;
    consumer.set_handler(move |delivery| {
        let told = told.clone();
        async move {
            match delivery.expect("no fault") {
                Some(delivery) => {
                    delivery.process_and_settle(async |_| Err::<(), _>(anyhow!("no"))).await.expect_err("no");
                }
                None => told.send(()).expect("the test listens"),
            }
        }
    });
    rabbit.publish(&queue).await?;
    soon(rabbit.capture.spans_ended(2)).await?;
    rabbit.channel.queue_delete(queue.clone(), QueueDeleteOptions::default()).await?;
    soon(ended.recv()).await?.context("the consumer was cancelled")?;
    rabbit.capture.assert_trace(&format!(
        "publish {queue}       shop       PRODUCER
           process {queue}     warehouse  CONSUMER  → publish {queue}  ✗ _OTHER"
    ));
    Ok(())
}

#[tokio::test]
async fn a_thousand_messages_fetched_ahead_have_no_span_until_one_is_processed() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    for _ in 0..1_000 {
        drop(crate::channel::bare(&rabbit.channel, "", queue.as_str(), BasicProperties::default()).await?);
    }
    assert!(soon(rabbit.channel.wait_for_confirms()).await??.is_empty());
    let mut consumer = rabbit.consumer(&queue).await?;
    all_fetched(&rabbit, &queue).await?;
    assert!(rabbit.capture.spans().is_empty() && rabbit.capture.open_spans().is_empty());
    let mut fetched = Vec::new();
    for _ in 0..1_000 {
        fetched.push(next(&mut consumer).await?);
    }
    assert!(rabbit.capture.spans().is_empty() && rabbit.capture.open_spans().is_empty());
    fetched.swap_remove(500).process_and_settle(async |_| anyhow::Ok(())).await?;
    drop(fetched);
    rabbit.capture.assert_trace(&format!("process {queue}  warehouse  CONSUMER"));
    rabbit.capture.assert_no_open_spans();
    assert_eq!(rabbit.capture.metric("messaging.client.consumed.messages").value(), 1.0);
    Ok(())
}
