//! Many messages, one span.

use crate::cluster::{Cluster, TOPIC, within};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanKind};
use opentelemetry::{Context, Value};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, StreamConsumer};
use rdkafka::message::{Header, OwnedHeaders};
use std::time::Duration;
use traced_kafka::TracedConsumer;

async fn batch(cluster: &Cluster, partitions: &[i32]) -> (usize, TracedConsumer<StreamConsumer>) {
    for partition in partitions {
        let headers = cluster.traced_headers().insert(Header { key: "baggage", value: Some("tenant.id=acme") });
        cluster.send_to(TOPIC, *partition, Some(headers)).await;
    }
    let settings = cluster.capture.settings("warehouse");
    (partitions.len(), TracedConsumer::with_settings(cluster.assigned(), &settings))
}

#[tokio::test]
async fn what_differs_stands_on_the_links_and_no_baggage_is_anybodys() {
    let cluster = Cluster::new();
    let (count, consumer) = batch(&cluster, &[0, 0, 1]).await;
    let mut messages = Vec::new();
    for _ in 0..count {
        messages.push(within(consumer.recv()).await.unwrap());
    }
    let handled = consumer.process_batch(messages, async |messages| {
        tokio::task::yield_now().await;
        assert!(Context::current().baggage().is_empty());
        Ok::<_, std::fmt::Error>(messages.len())
    });
    assert_eq!(handled.await, Ok(3));
    cluster.capture.assert_no_open_spans();
    let span = cluster.capture.span("process orders");
    assert_eq!((span.kind(), span.parent_id().is_some()), (SpanKind::Consumer, false));
    assert_eq!(span.attribute("messaging.batch.message_count"), Some(&3.into()));
    assert_eq!(span.attribute("messaging.destination.partition.id"), None);
    let mut places: Vec<_> = span
        .links()
        .iter()
        .map(|link| {
            link.attributes.iter().map(|own| format!("{}={}", own.key, own.value)).collect::<Vec<_>>().join(" ")
        })
        .collect();
    places.sort();
    let place =
        |partition, offset| format!("messaging.destination.partition.id={partition} messaging.kafka.offset={offset}");
    assert_eq!(places, [place(0, 0), place(0, 1), place(1, 0)]);
}

#[tokio::test]
async fn what_all_have_in_common_stands_on_the_span_and_each_context_is_linked_once() {
    let cluster = Cluster::new();
    let headers = cluster.traced_headers();
    for _ in 0..2 {
        cluster.send(Some(headers.clone())).await;
    }
    cluster.send(None).await;
    let settings = cluster.capture.settings("warehouse");
    let consumer = TracedConsumer::with_settings(cluster.assigned::<BaseConsumer>(), &settings);
    let messages = (0..3).map(|_| consumer.poll(Duration::from_secs(30)).unwrap().unwrap().detach()).collect();
    let failed = consumer.process_batch_blocking(messages, |_| Err::<(), _>(std::fmt::Error));
    assert_eq!(failed, Err(std::fmt::Error));
    let span = cluster.capture.span("process orders");
    assert_eq!(span.attribute("messaging.destination.partition.id"), Some(&"0".into()));
    assert_eq!((span.links().len(), span.is_error()), (1, true));
}

/// The keys, whether they are asked for, what stands on the span, what on the links.
#[tokio::test]
async fn keys_that_are_asked_for_stand_on_the_span_where_all_are_the_same_and_else_on_the_links() {
    const KEY: &str = "messaging.kafka.message.key";
    for (keys, asked, on_span, on_links) in [
        (["42", "43"], true, None, [Some("42"), Some("43")]),
        (["42", "42"], true, Some("42"), [None, None]),
        (["42", "43"], false, None, [None, None]),
        (["42", "42"], false, None, [None, None]),
    ] {
        let cluster = Cluster::new();
        for key in keys {
            cluster.send_keyed(TOPIC, 0, key, Some(cluster.traced_headers())).await;
        }
        let settings = cluster.capture.settings("warehouse").message_keys(asked);
        let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
        let messages = vec![within(consumer.recv()).await.unwrap(), within(consumer.recv()).await.unwrap()];
        consumer.process_batch(messages, async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
        let span = cluster.capture.span("process orders");
        let text = |value: &Value| value.as_str().into_owned();
        assert_eq!(span.attribute(KEY).map(text), on_span.map(str::to_owned), "{keys:?} {asked}");
        let of_link = |link: &Link| {
            let key = link.attributes.iter().find(|own| own.key.as_str() == KEY);
            key.map(|own| text(&own.value))
        };
        let links: Vec<_> = span.links().iter().map(of_link).collect();
        assert_eq!(links, on_links.map(|key| key.map(str::to_owned)), "{keys:?} {asked}");
    }
}

#[tokio::test]
async fn an_empty_batch_and_one_of_several_topics_name_no_topic() {
    let cluster = Cluster::new();
    let (_, consumer) = batch(&cluster, &[0]).await;
    let nothing: Vec<traced_kafka::TracedMessage<rdkafka::message::OwnedMessage>> = Vec::new();
    consumer.process_batch(nothing, async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    assert_eq!(cluster.capture.span("process").attribute("messaging.batch.message_count"), Some(&0.into()));
    cluster.capture.clear();

    let first = within(consumer.recv()).await.unwrap().detach();
    let moved = |headers: OwnedHeaders| {
        consumer.wrap(first.get_ref().clone().set_topic("returns".to_owned()).replace_headers(Some(headers)))
    };
    let second = moved(cluster.traced_headers());
    consumer.process_batch(vec![first, second], async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let span = cluster.capture.span("process");
    let topics = span.links().iter().flat_map(|link| &link.attributes);
    let topics: Vec<_> = topics.filter(|own| own.key.as_str() == "messaging.destination.name").collect();
    assert_eq!(topics.len(), 2);
    assert_eq!(span.attribute("messaging.destination.name"), None);
}

/// Compiles, too.
#[tokio::test]
async fn a_batch_is_processed_inside_a_spawned_task() {
    let cluster = Cluster::new();
    let (_, consumer) = batch(&cluster, &[0, 0]).await;
    let task = tokio::spawn(async move {
        let messages = vec![consumer.recv().await?, consumer.recv().await?];
        consumer
            .process_batch(messages, async |messages| {
                tokio::task::yield_now().await;
                Ok::<_, rdkafka::error::KafkaError>(messages.iter().map(Message::offset).sum::<i64>())
            })
            .await
    });
    assert_eq!(within(task).await.unwrap().unwrap(), 1);
    assert_eq!(cluster.capture.span("process orders").links().len(), 2);
}
