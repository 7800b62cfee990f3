//! Many records, one send span.

use crate::cluster::{Cluster, FOREIGN, TIMEOUT, TOPIC, assert_as_given, headers, listed, values};
use anyhow::Result;
use opentelemetry::Value;
use opentelemetry::trace::SpanKind;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use traced_envelope::ExistingContext;
use traced_envelope::testing::Capture;

const ORDERS: [&str; 3] = ["1", "2", "3"];

fn records() -> [FutureRecord<'static, str, str>; 3] {
    ORDERS.map(|order| FutureRecord::to(TOPIC).key("42").payload(order))
}

fn traceparents(cluster: &Cluster, count: usize) -> Result<Vec<String>> {
    let of = |record: &rdkafka::message::OwnedMessage| {
        values(&listed(record.headers()).unwrap_or_default(), "traceparent").join(",")
    };
    Ok(cluster.records(count)?.iter().map(of).collect())
}

#[tokio::test]
async fn each_record_has_a_create_span_and_the_send_span_links_them() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    let deliveries = producer.send_batch(records(), TIMEOUT).await;
    let offsets: Vec<_> = deliveries.iter().flatten().map(|delivery| delivery.offset).collect();
    assert_eq!(offsets, [0, 1, 2]);
    let spans = capture.spans();
    let created: Vec<_> = spans.iter().filter(|span| span.name() == "create orders").collect();
    let ids: Vec<_> = created.iter().map(|span| format!("00-{}-{}-01", span.trace_id(), span.span_id())).collect();
    assert_eq!(traceparents(&cluster, 3)?, ids);
    let send = capture.span("send orders");
    let linked: Vec<_> = send.links().iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(linked, created.iter().map(|span| span.span_id()).collect::<Vec<_>>());
    assert_eq!((send.kind(), send.is_error()), (SpanKind::Client, false));
    assert_eq!(send.attribute("messaging.batch.message_count"), Some(&Value::I64(3)));
    for (record, order) in cluster.records(3)?.iter().zip(ORDERS) {
        assert_eq!(record.payload(), Some(order.as_bytes()));
    }
    Ok(())
}

#[tokio::test]
async fn without_create_spans_the_records_carry_the_send_span() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop").create_spans(false))?;
    let mut batch = records();
    batch[0].headers = Some(headers());
    assert!(producer.send_batch(batch, TIMEOUT).await.iter().all(Result::is_ok));
    assert_eq!(capture.spans().len(), 1);
    let send = capture.span("send orders");
    assert_eq!(send.kind(), SpanKind::Producer);
    assert_eq!(send.links().len(), 1, "the context that was replaced");
    let ours = format!("00-{}-{}-01", send.trace_id(), send.span_id());
    assert_eq!(traceparents(&cluster, 3)?, [&*ours; 3]);
    Ok(())
}

#[tokio::test]
async fn a_kept_context_has_no_create_span() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop").existing_context(ExistingContext::Keep))?;
    let kept = FutureRecord::to(TOPIC).key("42").payload("{}").headers(headers());
    assert!(producer.send_batch([kept], TIMEOUT).await.iter().all(Result::is_ok));
    assert_eq!(capture.spans().len(), 1);
    assert_eq!(capture.span("send orders").links().len(), 1);
    assert_eq!(traceparents(&cluster, 1)?, [FOREIGN]);
    Ok(())
}

/// The second record cannot be queued, the third fails at the broker; both come back, and the first is delivered.
#[tokio::test]
async fn each_delivery_stands_in_its_place_and_a_failed_record_comes_back_as_given() -> Result<()> {
    for create_spans in [true, false] {
        let (cluster, capture) = (Cluster::start()?, Capture::new());
        let producer = cluster.producer(&capture.settings("shop").create_spans(create_spans))?;
        let record = || FutureRecord::to(TOPIC).key("42").payload("{}").headers(headers());
        let deliveries = producer.send_batch([record(), record().partition(7), record()], TIMEOUT).await;
        let [Ok(first), Err((error, message)), Ok(third)] = &deliveries[..] else { panic!("{deliveries:?}") };
        assert_eq!((first.offset, third.offset), (0, 1));
        assert!(matches!(error, KafkaError::MessageProduction(_)));
        assert_as_given(message);
        let failed = capture.span("send orders").attribute("error.type").map(ToString::to_string);
        assert_eq!(failed.as_deref(), Some("_UNKNOWN_PARTITION"));
        assert_eq!(sent(&capture), [(2.0, None), (1.0, Some("_UNKNOWN_PARTITION".to_owned()))]);
    }
    Ok(())
}

/// What the counter of sent messages says: how many, with which error.
fn sent(capture: &Capture) -> Vec<(f64, Option<String>)> {
    let metrics = capture.metrics().into_iter();
    let sent = metrics.filter(|metric| metric.name() == "messaging.client.sent.messages");
    let mut sent: Vec<_> =
        sent.map(|metric| (metric.value(), metric.attribute("error.type").map(ToString::to_string))).collect();
    sent.sort_by(|one, other| one.1.cmp(&other.1));
    sent
}

#[tokio::test]
async fn a_full_queue_fails_the_records_that_it_has_no_room_for() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let options = [("queue.buffering.max.messages", "1"), ("linger.ms", "200")];
    let producer = cluster.producer_with(&capture.settings("shop"), options)?;
    let record = || FutureRecord::to(TOPIC).key("42").payload("{}").headers(headers());
    let deliveries = producer.send_batch([record(), record()], Duration::ZERO).await;
    let [Ok(_), Err((_, message))] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_as_given(message);
    Ok(())
}

#[tokio::test]
async fn a_batch_that_is_dropped_is_cancelled_until_all_records_are_queued() -> Result<()> {
    for (room, error) in [("1", Some("cancelled")), ("10", None)] {
        let (cluster, capture) = (Cluster::start()?, Capture::new());
        let options = [("queue.buffering.max.messages", room), ("linger.ms", "200")];
        let producer = cluster.producer_with(&capture.settings("shop"), options)?;
        {
            let sending = pin!(producer.send_batch(records(), Timeout::Never));
            assert!(sending.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let ending = capture.span("send orders").attribute("error.type").map(ToString::to_string);
        assert_eq!(ending.as_deref(), error);
        let queued = if error.is_some() { 1.0 } else { 3.0 };
        assert_eq!(sent(&capture), [(queued, None)], "what is queued will be delivered");
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_batch_sends_nothing() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    assert!(producer.send_batch(Vec::<FutureRecord<'_, str, str>>::new(), TIMEOUT).await.is_empty());
    assert!(capture.spans().is_empty() && capture.metrics().is_empty());
    capture.assert_no_open_spans();
    Ok(())
}
