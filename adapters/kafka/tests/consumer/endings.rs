//! How handlers end, and where they run.

use crate::cluster::{Cluster, warehouse, within};
use futures_util::{FutureExt, StreamExt};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, StreamConsumer};
use rdkafka::message::BorrowedMessage;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use traced_kafka::{Outcome, Settings, TracedConsumer};

#[tokio::test]
async fn every_ending_of_a_handler_is_the_spans_one_end() {
    let cluster = Cluster::new();
    for _ in 0..5 {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    let consumer = warehouse(&cluster);
    let next = || within(consumer.recv()).map(Result::unwrap);

    let failed = next().await.process(async |_| Err::<(), _>(std::fmt::Error)).await;
    assert_eq!(failed, Err(std::fmt::Error), "the handler's own error");
    let panicked = next().await.process(async |_| -> Result<(), std::fmt::Error> { panic!("out of stock") });
    assert!(AssertUnwindSafe(panicked).catch_unwind().await.is_err());
    let mut dropped =
        Box::pin(next().await.process(async |_| std::future::pending::<Result<(), std::fmt::Error>>().await));
    assert!(dropped.as_mut().now_or_never().is_none());
    drop(dropped);
    let rows = next().await.process_with(async |_| 0, |_| Outcome::error("nothing_stored", "no row was written"));
    assert_eq!(rows.await, 0);
    let open = next().await.start();
    assert_eq!(cluster.capture.open_spans().len(), 1);
    drop(open);

    cluster.capture.assert_no_open_spans();
    let spans = cluster.capture.spans();
    let errors = spans.iter().filter(|span| span.name() == "process orders");
    let errors: Vec<_> = errors.map(|span| span.attribute("error.type").map(ToString::to_string)).collect();
    let expected = ["core::fmt::Error", "panic", "cancelled", "nothing_stored", "cancelled"];
    assert_eq!(errors, expected.map(|name| Some(name.to_owned())));
}

#[tokio::test]
async fn an_open_message_is_inside_its_span_until_it_is_finished() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    let consumer = warehouse(&cluster);
    let open = within(consumer.recv()).await.unwrap().start();
    let context = open.context().clone();
    let attached = context.attach();
    cluster.reserve_stock();
    drop(attached);
    assert_eq!(open.get_ref().offset(), 0);
    assert_eq!(open.finish(Outcome::Ok).offset(), 0);
    cluster.capture.assert_trace(
        "
        send orders            shop       PRODUCER
        └─ process orders      warehouse  CONSUMER  → send orders
           └─ reserve stock    warehouse  INTERNAL
        ",
    );
}

/// Compiles, too: a borrowed message is processed inside a spawned task, and a detached one outlives the loop's turn.
#[tokio::test]
async fn messages_are_processed_inside_spawned_tasks() {
    let cluster = Cluster::new();
    for _ in 0..2 {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    let consumer = Arc::new(warehouse(&cluster));
    let tracer = cluster.capture.tracer("warehouse");
    let borrowed = tokio::spawn({
        let (consumer, tracer) = (Arc::clone(&consumer), tracer.clone());
        async move {
            let message = consumer.recv().await?;
            let handler = async |message: BorrowedMessage<'_>| {
                tokio::task::yield_now().await;
                opentelemetry::trace::Tracer::in_span(&tracer, "reserve stock", |_| ());
                Ok::<_, rdkafka::error::KafkaError>(message.offset())
            };
            message.process(handler).await
        }
    });
    assert_eq!(within(borrowed).await.unwrap().unwrap(), 0);
    let message = within(consumer.recv()).await.unwrap().detach();
    drop(consumer);
    let detached = tokio::spawn(message.process(async move |message| {
        tokio::task::yield_now().await;
        opentelemetry::trace::Tracer::in_span(&tracer, "reserve stock", |_| ());
        Ok::<_, std::fmt::Error>(message.offset())
    }));
    assert_eq!(within(detached).await.unwrap(), Ok(1));
    let one = "
        send orders            shop       PRODUCER
        └─ process orders      warehouse  CONSUMER  → send orders
           └─ reserve stock    warehouse  INTERNAL
        ";
    cluster.capture.assert_trace(&format!("{one}{one}"));
}

#[tokio::test]
async fn the_stream_yields_traced_messages() {
    let cluster = Cluster::new();
    for _ in 0..2 {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    let consumer = warehouse(&cluster);
    let mut messages = consumer.stream();
    for _ in 0..2 {
        let message = within(messages.next()).await.unwrap().unwrap();
        message.process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    }
    assert_eq!(cluster.capture.trace_ids().len(), 2);
    cluster.capture.assert_no_open_spans();
}

#[tokio::test]
async fn a_base_consumer_processes_without_a_runtime() {
    let cluster = Cluster::new();
    for _ in 0..3 {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    let settings = cluster.capture.settings("warehouse");
    let consumer = TracedConsumer::with_settings(cluster.assigned::<BaseConsumer>(), &settings);
    let mut offsets = Vec::new();
    for message in consumer.iter().take(2) {
        let offset = message.unwrap().process_blocking(|message| {
            cluster.reserve_stock();
            Ok::<_, std::fmt::Error>(message.offset())
        });
        offsets.push(offset.unwrap());
    }
    let last = consumer.poll(Duration::from_secs(30)).unwrap().unwrap();
    assert_eq!(last.process_blocking(|_| Err::<(), _>(std::fmt::Error)), Err(std::fmt::Error));
    assert_eq!(offsets, [0, 1]);
    cluster.capture.assert_trace(
        "
        send orders            shop       PRODUCER
        └─ process orders      warehouse  CONSUMER  → send orders
           └─ reserve stock    warehouse  INTERNAL
        send orders            shop       PRODUCER
        └─ process orders      warehouse  CONSUMER  → send orders
           └─ reserve stock    warehouse  INTERNAL
        send orders            shop       PRODUCER
        └─ process orders      warehouse  CONSUMER  → send orders  ✗ core::fmt::Error
        ",
    );
}

#[tokio::test]
async fn switched_off_nothing_is_made_and_messages_pass() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    cluster.capture.clear();
    let settings: Settings = cluster.capture.settings("warehouse").enabled(false);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    let message = within(consumer.recv()).await.unwrap();
    assert_eq!(message.process(async |message| Ok::<_, std::fmt::Error>(message.offset())).await, Ok(0));
    assert!(cluster.capture.spans().is_empty());
}
