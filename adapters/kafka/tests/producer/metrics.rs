//! What is counted and timed, and under which attributes.

use crate::cluster::{Cluster, TIMEOUT, TOPIC};
use anyhow::Result;
use rdkafka::producer::{BaseProducer, BaseRecord, FutureRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use traced_envelope::testing::{Capture, CapturedMetric};
use traced_kafka::{TracedContext, TracedProducer};

const SENT: &str = "messaging.client.sent.messages";
const DURATION: &str = "messaging.client.operation.duration";

/// What there is under this name: attributes, and how many messages or calls.
fn series(capture: &Capture, name: &str) -> Vec<(String, f64)> {
    let metrics = capture.metrics();
    let named = metrics.iter().filter(|metric| metric.name() == name);
    let number = |metric: &CapturedMetric| metric.count().map_or(metric.value(), |count| count as f64);
    let attributes = |metric: &CapturedMetric| {
        let all = metric.attributes().iter().map(|own| format!("{}={}", own.key, own.value));
        all.collect::<Vec<_>>().join(" ")
    };
    let mut series: Vec<_> = named.map(|metric| (attributes(metric), number(metric))).collect();
    series.sort_by(|a, b| a.0.cmp(&b.0));
    series
}

fn record<'a>() -> FutureRecord<'a, str, str> {
    FutureRecord::to(TOPIC).key("42").payload("{}")
}

#[tokio::test]
async fn records_are_counted_and_sends_timed_also_those_that_fail() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer_with(&capture.settings("shop").server("kafka", 9092), [("retries", "0")])?;
    for _ in 0..2 {
        producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    }
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.0.request_errors(RDKafkaApiKey::Produce, &[refused]);
    assert!(producer.send(record(), TIMEOUT).await.is_err());

    let place = "messaging.system=kafka server.address=kafka server.port=9092";
    let delivered = "messaging.destination.name=orders messaging.operation.name=send";
    let failed =
        "error.type=TOPIC_AUTHORIZATION_FAILED messaging.destination.name=orders messaging.operation.name=send";
    assert_eq!(series(&capture, SENT), [(format!("{failed} {place}"), 1.0), (format!("{delivered} {place}"), 2.0)]);
    let place = format!("messaging.operation.type=send {place}");
    assert_eq!(series(&capture, DURATION), [(format!("{failed} {place}"), 1.0), (format!("{delivered} {place}"), 2.0)]);
    let spans: f64 = capture.spans().iter().map(|span| span.duration().as_secs_f64()).sum();
    let timed: f64 =
        capture.metrics().iter().filter(|metric| metric.name() == DURATION).map(CapturedMetric::value).sum();
    assert!((spans - timed).abs() < 0.001, "{timed} s are not the spans' {spans} s");
    Ok(())
}

#[tokio::test]
async fn a_batch_counts_its_records_and_is_one_call() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    let deliveries = producer.send_batch([record(), record(), record()], TIMEOUT).await;
    assert!(deliveries.iter().all(Result::is_ok));
    let attributes = "messaging.destination.name=orders messaging.operation.name=send";
    assert_eq!(series(&capture, SENT), [(format!("{attributes} messaging.system=kafka"), 3.0)]);
    let attributes = format!("{attributes} messaging.operation.type=send messaging.system=kafka");
    assert_eq!(series(&capture, DURATION), [(attributes, 1.0)]);
    Ok(())
}

#[test]
fn records_with_a_delivery_callback_are_counted_when_it_is_called() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let context = TracedContext::new(rdkafka::producer::DefaultProducerContext);
    let producer: BaseProducer<_> = cluster.config().create_with_context(context)?;
    let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    producer.send(BaseRecord::to(TOPIC).key("42").payload("{}")).map_err(|(error, _)| error)?;
    assert_eq!(series(&capture, SENT), []);
    producer.get_ref().flush(TIMEOUT)?;
    let attributes =
        "messaging.destination.name=orders messaging.operation.name=send messaging.system=kafka".to_owned();
    assert_eq!(series(&capture, SENT), [(attributes, 1.0)]);
    Ok(())
}

#[tokio::test]
async fn metrics_that_are_switched_off_are_none() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop").metrics(false))?;
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    assert_eq!((capture.spans().len(), capture.metrics().len()), (1, 0));
    Ok(())
}
