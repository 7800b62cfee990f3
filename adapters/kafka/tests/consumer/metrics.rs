//! What is counted and timed, and under which attributes.

use crate::cluster::{Cluster, within};
use rdkafka::consumer::{CommitMode, StreamConsumer};
use traced_envelope::testing::CapturedMetric;
use traced_kafka::{Settings, TracedConsumer};

const CONSUMED: &str = "messaging.client.consumed.messages";
const PROCESSING: &str = "messaging.process.duration";
const CALLS: &str = "messaging.client.operation.duration";

/// What there is under this name: attributes, and how many messages, handlers or calls.
fn series(cluster: &Cluster, name: &str) -> Vec<(String, f64)> {
    let metrics = cluster.capture.metrics();
    let named = metrics.iter().filter(|metric| metric.name() == name && metric.service() == "warehouse");
    let number = |metric: &CapturedMetric| metric.count().map_or(metric.value(), |count| count as f64);
    let attributes = |metric: &CapturedMetric| {
        let all = metric.attributes().iter().map(|own| format!("{}={}", own.key, own.value));
        all.collect::<Vec<_>>().join(" ")
    };
    let mut series: Vec<_> = named.map(|metric| (attributes(metric), number(metric))).collect();
    series.sort_by(|a, b| a.0.cmp(&b.0));
    series
}

async fn consumer(
    cluster: &Cluster,
    messages: usize,
    settings: impl FnOnce(Settings) -> Settings,
) -> TracedConsumer<StreamConsumer> {
    for _ in 0..messages {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    TracedConsumer::with_settings(cluster.assigned(), &settings(cluster.capture.settings("warehouse")))
}

/// The partition is on the spans: here it would multiply the series.
fn of(operation: &str) -> String {
    format!(
        "messaging.consumer.group.name=warehouse messaging.destination.name=orders messaging.operation.name={operation}"
    )
}

#[tokio::test]
async fn messages_are_counted_once_and_handlers_timed_also_those_that_fail() {
    let cluster = Cluster::new();
    let all = |settings: Settings| settings.consumer_group("warehouse").receive_spans(true).settle_spans(true);
    let consumer = consumer(&cluster, 3, all).await;
    for result in [Ok(()), Ok(()), Err(std::fmt::Error)] {
        let message = within(consumer.recv()).await.unwrap();
        let processed = message.process(async |message| {
            consumer.commit_message(&message, CommitMode::Async).unwrap();
            result
        });
        assert_eq!(processed.await, result);
    }
    let system = "messaging.system=kafka";
    let failed = format!("error.type=core::fmt::Error {}", of("process"));
    let consumed: f64 = series(&cluster, CONSUMED).iter().map(|(_, count)| count).sum();
    assert_eq!(consumed, 3.0, "with a receive span and a process span each");
    assert_eq!(
        series(&cluster, PROCESSING),
        [(format!("{failed} {system}"), 1.0), (format!("{} {system}", of("process")), 2.0)]
    );
    assert_eq!(
        series(&cluster, CALLS),
        [
            (format!("{} messaging.operation.type=settle {system}", of("commit")), 3.0),
            (format!("{} messaging.operation.type=receive {system}", of("poll")), 3.0),
        ]
    );
}

#[tokio::test]
async fn a_batch_counts_its_messages_and_is_one_handler() {
    let cluster = Cluster::new();
    let consumer = consumer(&cluster, 3, |settings| settings.consumer_group("warehouse")).await;
    let mut messages = Vec::new();
    for _ in 0..3 {
        messages.push(within(consumer.recv()).await.unwrap());
    }
    consumer.process_batch(messages, async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let attributes = format!("{} messaging.system=kafka", of("process"));
    assert_eq!(series(&cluster, CONSUMED), [(attributes.clone(), 3.0)]);
    assert_eq!(series(&cluster, PROCESSING), [(attributes, 1.0)]);
}

#[tokio::test]
async fn the_time_that_a_message_waited_is_measured_and_a_missing_context_counted() {
    let cluster = Cluster::new();
    cluster.send(None).await;
    let consumer = consumer(&cluster, 0, |settings| settings).await;
    let message = within(consumer.recv()).await.unwrap();
    message.process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let waited = cluster.capture.metric("traced.message.wait.duration");
    assert_eq!(waited.count(), Some(1));
    let missing = "messaging.destination.name=orders traced.context.reason=absent".to_owned();
    assert_eq!(series(&cluster, "traced.context.missing"), [(missing, 1.0)]);
}
