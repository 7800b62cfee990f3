//! Records that are not delivered come back as they were given.

use crate::cluster::{Cluster, TIMEOUT, TOPIC, assert_as_given, headers, listed};
use anyhow::Result;
use opentelemetry::trace::Status;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{FutureRecord, Producer, PurgeConfig};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::util::Timeout;
use std::time::Duration;
use tokio::time::timeout;
use traced_envelope::testing::Capture;

fn record<'a>() -> FutureRecord<'a, str, str> {
    FutureRecord::to(TOPIC).key("42").payload("{}").headers(headers())
}

fn assert_failed(capture: &Capture, name: &str, error: &KafkaError) {
    let span = capture.span("send orders");
    let error_type = span.attribute("error.type").map(ToString::to_string).unwrap_or_default();
    assert!(name.split(" or ").any(|name| name == error_type), "{error_type} is not {name}");
    assert_eq!(span.status(), &Status::error(error.to_string()));
    assert_eq!(span.attribute("messaging.kafka.offset"), None);
    capture.assert_no_open_spans();
}

/// Options of the producer, what is done to the cluster, the record's partition, librdkafka's name of the error.
#[tokio::test]
async fn a_record_that_is_not_delivered_comes_back_with_the_brokers_or_librdkafkas_error() -> Result<()> {
    type Break = fn(&MockCluster<'_, rdkafka::producer::DefaultProducerContext>) -> Result<(), KafkaError>;
    let fine: Break = |_| Ok(());
    let refuse: Break = |cluster| {
        cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
        Ok(())
    };
    let forget: Break = |cluster| cluster.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    let cases = [
        ("TOPIC_AUTHORIZATION_FAILED", ("retries", "0"), None, refuse),
        ("_MSG_TIMED_OUT", ("message.timeout.ms", "300"), None, |cluster| cluster.broker_down(1)),
        ("_UNKNOWN_PARTITION", ("retries", "0"), Some(7), fine),
        // By whoever says it first: the broker, or librdkafka, which has heard it from the broker by then.
        ("UNKNOWN_TOPIC_OR_PART or _UNKNOWN_TOPIC", ("topic.metadata.propagation.max.ms", "0"), None, forget),
    ];
    for (name, option, partition, break_it) in cases {
        for by_result in [false, true] {
            let (cluster, capture) = (Cluster::start()?, Capture::new());
            let producer = cluster.producer_with(&capture.settings("shop"), [option])?;
            break_it(&cluster.0)?;
            let record = FutureRecord { partition, ..record() };
            let delivery = if by_result {
                match producer.send_result(record) {
                    Ok(delivery) => timeout(TIMEOUT, delivery).await??,
                    Err((error, record)) => {
                        assert_eq!(listed(record.headers.as_ref()), listed(Some(&headers())), "{name}");
                        assert_failed(&capture, name, &error);
                        continue;
                    }
                }
            } else {
                timeout(TIMEOUT, producer.send(record, TIMEOUT)).await?
            };
            let (error, message) = delivery.expect_err(name);
            assert_as_given(&message);
            assert_failed(&capture, name, &error);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_full_queue_is_an_error_when_the_time_for_it_is_over() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    cluster.0.broker_down(1)?;
    let producer = cluster.producer_with(&capture.settings("shop"), [("queue.buffering.max.messages", "1")])?;
    let waiting = producer.get_ref().send_result(record()).map_err(|(error, _)| error)?;

    let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
    let (error, message) = producer.send(record(), Duration::ZERO).await.unwrap_err();
    assert_eq!(error, full);
    assert_as_given(&message);
    assert_failed(&capture, "_QUEUE_FULL", &error);

    capture.clear();
    let (error, back) = producer.send_result(record()).err().unwrap();
    assert_eq!(error, full);
    assert_eq!((back.topic, back.key, back.payload), (TOPIC, Some("42"), Some("{}")));
    assert_eq!(listed(back.headers.as_ref()), listed(Some(&headers())));
    assert_failed(&capture, "_QUEUE_FULL", &error);
    drop(waiting);
    Ok(())
}

#[tokio::test]
async fn attempts_while_the_queue_is_full_belong_to_one_span() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    cluster.0.broker_down(1)?;
    let producer = cluster.producer_with(&capture.settings("shop"), [("queue.buffering.max.messages", "1")])?;
    let waiting = producer.get_ref().send_result(record()).map_err(|(error, _)| error)?;
    let mut sending = Box::pin(producer.send(record(), Timeout::Never));
    assert!(timeout(Duration::from_millis(1), &mut sending).await.is_err(), "the queue is full");
    cluster.0.broker_up(1)?;
    producer.get_ref().purge(PurgeConfig::default().queue());
    assert!(timeout(TIMEOUT, waiting).await??.is_err(), "purged");
    timeout(TIMEOUT, sending).await?.map_err(|(error, _)| error)?;
    assert!(!capture.span("send orders").is_error());
    Ok(())
}
