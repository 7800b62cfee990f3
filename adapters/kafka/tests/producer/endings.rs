//! Futures that are dropped.

use crate::cluster::{Cluster, TIMEOUT, TOPIC};
use anyhow::Result;
use rdkafka::producer::{FutureRecord, Producer};
use rdkafka::util::Timeout;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use traced_envelope::testing::{Capture, CapturedSpan};

fn poll_once<F: Future>(future: F) -> bool {
    matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}

fn record<'a>() -> FutureRecord<'a, str, str> {
    FutureRecord::to(TOPIC).key("42").payload("{}")
}

fn ending(span: &CapturedSpan) -> Option<String> {
    span.attribute("error.type").map(ToString::to_string)
}

#[tokio::test]
async fn dropped_while_the_queue_is_full_the_span_is_cancelled() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    cluster.0.broker_down(1)?;
    let producer = cluster.producer_with(&capture.settings("shop"), [("queue.buffering.max.messages", "1")])?;
    let waiting = producer.get_ref().send_result(record()).map_err(|(error, _)| error)?;
    assert!(!poll_once(producer.send(record(), Timeout::Never)));
    assert_eq!(ending(&capture.span("send orders")).as_deref(), Some("cancelled"));
    drop(waiting);
    Ok(())
}

#[tokio::test]
async fn dropped_after_it_was_queued_the_record_is_delivered_and_the_span_has_no_error() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer_with(&capture.settings("shop"), [("linger.ms", "100")])?;
    assert!(!poll_once(producer.send(record(), Timeout::Never)));
    drop(producer.send_result(record()).map_err(|(error, _)| error)?);
    let delivery = producer.send_result(record()).map_err(|(error, _)| error)?.into_inner();
    assert_eq!(capture.spans().iter().map(ending).collect::<Vec<_>>(), [None, None, None]);
    capture.assert_no_open_spans();
    assert_eq!(delivery.await?.map_err(|(error, _)| error)?.offset, 2, "the others went before");
    assert_eq!(cluster.records(3)?.len(), 3);
    producer.get_ref().flush(TIMEOUT)?;
    Ok(())
}

#[tokio::test]
async fn a_future_that_is_never_polled_has_no_span_and_sends_nothing() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    drop(producer.send(record(), Timeout::Never));
    assert_eq!((capture.spans().len(), producer.get_ref().in_flight_count()), (0, 0));
    capture.assert_no_open_spans();
    Ok(())
}
