//! One span from begin to commit or abort.

use crate::cluster::{Cluster, TIMEOUT, TOPIC};
use anyhow::{Context as _, Result};
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt, Tracer};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, FutureRecord, NoCustomPartitioner};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;
use traced_envelope::testing::Capture;
use traced_kafka::{TracedContext, TracedProducer};

fn record<'a>() -> FutureRecord<'a, str, str> {
    FutureRecord::to(TOPIC).key("42").payload("{}")
}

fn transactional(cluster: &Cluster, capture: &Capture) -> Result<TracedProducer> {
    let producer = cluster.producer_with(&capture.settings("shop"), [("transactional.id", "shop")])?;
    producer.init_transactions(TIMEOUT)?;
    Ok(producer)
}

fn ending(capture: &Capture) -> Option<String> {
    capture.span("transaction").attribute("error.type").map(ToString::to_string)
}

#[tokio::test]
async fn a_committed_transaction_is_one_span_with_its_sends_below() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    assert_eq!(capture.spans().len(), 0, "the initialisation has no span");
    let checkout = Context::current_with_span(capture.tracer("shop").start("checkout"));
    async {
        producer.begin_transaction()?;
        producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
        // A clone is the same producer.
        producer.clone().destination(TOPIC).send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
        assert!(capture.spans().iter().all(|span| span.name() != "transaction"), "not committed yet");
        producer.commit_transaction(TIMEOUT)?;
        producer.begin_transaction()?;
        producer.commit_transaction(TIMEOUT)
    }
    .with_context(checkout.clone())
    .await?;
    checkout.span().end();
    capture.assert_trace(
        "
        checkout             shop  INTERNAL
        ├─ transaction       shop  INTERNAL
        │  ├─ send orders    shop  PRODUCER
        │  └─ send orders    shop  PRODUCER
        └─ transaction       shop  INTERNAL
        ",
    );
    let span = capture.spans().into_iter().find(|span| span.name() == "transaction").context("no span")?;
    assert_eq!((span.kind(), span.is_error()), (SpanKind::Internal, false));
    assert_eq!(span.attribute("messaging.operation.name"), Some(&"transaction".into()));
    Ok(())
}

#[tokio::test]
async fn inside_another_span_a_send_is_its_child_and_links_the_transaction() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    let handler = Context::current_with_span(capture.tracer("shop").start("process payments"));
    let sent = producer.send(record(), TIMEOUT).with_context(handler.clone()).await;
    sent.map_err(|(error, _)| error)?;
    let batch = producer.send_batch([record()], TIMEOUT).with_context(handler.clone()).await;
    assert!(batch.iter().all(Result::is_ok));
    handler.span().end();
    producer.commit_transaction(TIMEOUT)?;
    let (transaction, handler) = (capture.span("transaction"), capture.span("process payments"));
    assert_ne!(transaction.trace_id(), handler.trace_id());
    for span in capture.spans().iter().filter(|span| span.name() == "send orders" || span.name() == "create orders") {
        assert_eq!(span.parent_id(), Some(handler.span_id()));
        let linked = |id| span.links().iter().any(|link| link.span_context.span_id() == id);
        assert!(linked(transaction.span_id()), "{}", span.name());
    }
    // After the commit nothing is left of it.
    capture.clear();
    producer.begin_transaction()?;
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    producer.commit_transaction(TIMEOUT)?;
    assert_eq!(capture.span("send orders").parent_id(), Some(capture.span("transaction").span_id()));
    Ok(())
}

#[tokio::test]
async fn an_aborted_transaction_says_so() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    producer.abort_transaction(TIMEOUT)?;
    assert_eq!(ending(&capture).as_deref(), Some("aborted"));
    assert!(!capture.span("send orders").is_error(), "the broker had it");
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_is_dropped_is_cancelled() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    let clone = producer.clone();
    drop(producer);
    assert_eq!(capture.open_spans().len(), 1, "a clone may still commit it");
    drop(clone);
    assert_eq!(ending(&capture).as_deref(), Some("cancelled"));
    capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn a_begin_that_fails_ends_its_span_and_leaves_the_open_transaction_alone() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    producer.begin_transaction().unwrap_err();
    assert_eq!(ending(&capture).as_deref(), Some("_STATE"));
    capture.clear();
    producer.commit_transaction(TIMEOUT)?;
    assert_eq!(ending(&capture), None);
    Ok(())
}

#[tokio::test]
async fn an_abort_after_a_commit_that_failed_has_the_commits_error() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.0.request_errors(RDKafkaApiKey::Produce, &[refused]);
    producer.send(record(), TIMEOUT).await.unwrap_err();
    producer.commit_transaction(TIMEOUT).unwrap_err();
    assert_eq!(capture.open_spans().len(), 1, "it must be aborted first");
    producer.abort_transaction(TIMEOUT)?;
    assert_eq!(ending(&capture).as_deref(), Some("TOPIC_AUTHORIZATION_FAILED"));
    Ok(())
}

/// What was retried and has recovered is no error.
#[tokio::test]
async fn a_commit_that_works_at_the_second_attempt_is_no_error() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    let delivery = producer.send_result(record()).map_err(|(error, _)| error)?;
    producer.commit_transaction(Duration::ZERO).unwrap_err();
    assert!(capture.spans().is_empty(), "it can be committed still");
    producer.commit_transaction(TIMEOUT)?;
    delivery.await?.map_err(|(error, _)| error)?;
    assert_eq!(ending(&capture), None);
    Ok(())
}

#[tokio::test]
async fn a_fatal_error_ends_the_span() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    producer.begin_transaction()?;
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    // Another producer of the same transactional id fences this one off.
    let fenced = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
    cluster.0.request_errors(RDKafkaApiKey::EndTxn, &[fenced]);
    producer.commit_transaction(TIMEOUT).unwrap_err();
    assert!(capture.span("transaction").is_error());
    capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn offsets_are_sent_within_the_transaction_and_their_error_is_the_aborts() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = transactional(&cluster, &capture)?;
    let consumer: BaseConsumer = cluster.config().set("group.id", "shop").create()?;
    let group = consumer.group_metadata().context("no group")?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(TOPIC, 0, Offset::Offset(1))?;
    producer.begin_transaction()?;
    producer.send_offsets_to_transaction(&offsets, &group, TIMEOUT)?;
    producer.commit_transaction(TIMEOUT)?;
    assert_eq!(ending(&capture), None);

    capture.clear();
    producer.begin_transaction()?;
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    cluster.0.request_errors(RDKafkaApiKey::TxnOffsetCommit, &[refused]);
    producer.send_offsets_to_transaction(&offsets, &group, TIMEOUT).unwrap_err();
    producer.abort_transaction(TIMEOUT)?;
    assert_eq!(ending(&capture).as_deref(), Some("GROUP_AUTHORIZATION_FAILED"));
    Ok(())
}

#[test]
fn a_producer_with_callbacks_has_transactions_too() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let context = TracedContext::new(DefaultProducerContext);
    let producer: BaseProducer<_> = cluster.config().set("transactional.id", "shop").create_with_context(context)?;
    let producer: TracedProducer<BaseProducer<_, NoCustomPartitioner>> =
        TracedProducer::with_settings(producer, &capture.settings("shop"));
    producer.init_transactions(TIMEOUT)?;
    producer.begin_transaction()?;
    producer.send(BaseRecord::to(TOPIC).key("42").payload("{}")).map_err(|(error, _)| error)?;
    producer.commit_transaction(TIMEOUT)?;
    capture.assert_trace(
        "
        transaction          shop  INTERNAL
        └─ send orders       shop  PRODUCER
        ",
    );
    Ok(())
}
