//! Polling and committing, as spans for those who ask for them.

use crate::cluster::{Cluster, TOPIC, within};
use futures_util::StreamExt;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};
use std::time::{Duration, SystemTime};
use traced_envelope::testing::CapturedSpan;
use traced_kafka::TracedConsumer;

fn named(cluster: &Cluster, operation: &str) -> Vec<CapturedSpan> {
    let wanted = |span: &CapturedSpan| span.attribute("messaging.operation.name") == Some(&operation.to_owned().into());
    cluster.capture.spans().into_iter().filter(wanted).collect()
}

#[tokio::test]
async fn a_poll_that_brought_a_message_is_a_span_from_the_wait_to_the_return() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    cluster.send(Some(cluster.traced_headers())).await;
    let settings = cluster.capture.settings("warehouse").receive_spans(true);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    let asked = SystemTime::now();
    within(consumer.recv()).await.unwrap();
    within(consumer.stream().next()).await.unwrap().unwrap();
    let returned = SystemTime::now();
    let polls = named(&cluster, "poll");
    assert_eq!(polls.len(), 2);
    for (offset, poll) in (0_i64..).zip(&polls) {
        assert_eq!((poll.name(), poll.links().len()), ("poll orders", 1));
        assert_eq!(poll.kind(), opentelemetry::trace::SpanKind::Client);
        assert_eq!(poll.attribute("messaging.operation.type"), Some(&"receive".into()));
        assert_eq!(poll.attribute("messaging.kafka.offset"), Some(&offset.into()));
        assert_eq!(poll.attribute("messaging.destination.partition.id"), Some(&"0".into()));
        assert!(asked <= poll.start() && poll.end() <= returned);
    }
    let fetched = polls[0].duration();
    assert!(fetched > Duration::from_millis(1), "the wait for the first message belongs to it: {fetched:?}");
}

#[tokio::test]
async fn each_wait_of_a_stream_begins_when_the_application_asks_again() {
    let cluster = Cluster::new();
    cluster.send(None).await;
    cluster.send(None).await;
    let settings = cluster.capture.settings("warehouse").receive_spans(true);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    let mut messages = consumer.stream();
    within(messages.next()).await.unwrap().unwrap();
    let asked_again = SystemTime::now();
    within(messages.next()).await.unwrap().unwrap();
    let polls = named(&cluster, "poll");
    assert!(polls[0].end() <= asked_again && asked_again <= polls[1].start());
}

#[tokio::test]
async fn an_empty_poll_is_no_span() {
    let cluster = Cluster::new();
    let settings = cluster.capture.settings("warehouse").receive_spans(true);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<BaseConsumer>(), &settings);
    assert!(consumer.poll(Duration::from_millis(10)).is_none());
    assert!(cluster.capture.spans().is_empty());
    cluster.send(None).await;
    consumer.poll(Duration::from_secs(30)).unwrap().unwrap();
    assert_eq!(named(&cluster, "poll").len(), 1);
}

#[tokio::test]
async fn commits_are_spans_and_reach_the_broker() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    let settings = cluster.capture.settings("warehouse").settle_spans(true);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    let message = within(consumer.recv()).await.unwrap();
    message.process(async |message| consumer.commit_message(&message, CommitMode::Sync)).await.unwrap();
    let committed = consumer.get_ref().committed(Duration::from_secs(30)).unwrap();
    assert_eq!(committed.find_partition(TOPIC, 0).unwrap().offset(), Offset::Offset(1));

    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(TOPIC, 0, Offset::Offset(1)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    offsets.add_partition_offset("returns", 0, Offset::Offset(0)).unwrap();
    consumer.commit(&offsets, CommitMode::Async).unwrap();
    let nothing_stored = consumer.commit_consumer_state(CommitMode::Sync);

    let commits = named(&cluster, "commit");
    let names: Vec<_> = commits.iter().map(CapturedSpan::name).collect();
    assert_eq!(names, ["commit orders", "commit orders", "commit", "commit"]);
    let first = &commits[0];
    assert_eq!(first.attribute("messaging.operation.type"), Some(&"settle".into()));
    assert_eq!(first.attribute("messaging.kafka.offset"), Some(&0.into()));
    assert_eq!((first.links().len(), first.is_error()), (1, false));
    assert_eq!(commits[1].attribute("messaging.destination.partition.id"), Some(&"0".into()));
    if let Err(error) = nothing_stored {
        assert_eq!(error, KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset));
        assert_eq!(commits[3].attribute("error.type"), Some(&"_NO_OFFSET".into()));
    }
    cluster.capture.assert_no_open_spans();
}

#[tokio::test]
async fn nobody_asked_nothing_is_made() {
    let cluster = Cluster::new();
    cluster.send(None).await;
    let consumer =
        TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &cluster.capture.settings("warehouse"));
    let message = within(consumer.recv()).await.unwrap();
    consumer.commit_message(message.get_ref(), CommitMode::Sync).unwrap();
    assert_eq!(message.into_inner().offset(), 0);
    assert!(cluster.capture.spans().is_empty());
}
