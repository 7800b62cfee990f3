//! Without an SDK, with one that comes late, and where telemetry is suppressed.

use crate::cluster::{Cluster, FOREIGN, TIMEOUT, TOPIC, listed, values};
use anyhow::Result;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{FutureExt, TraceContextExt};
use opentelemetry::{Context, KeyValue, global};
use rdkafka::message::Message;
use rdkafka::producer::FutureRecord;
use traced_envelope::propagation::W3cPropagator;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Settings, Status};

fn record<'a>() -> FutureRecord<'a, str, str> {
    FutureRecord::to(TOPIC).key("42").payload("{}")
}

/// The context of a caller in another process, with baggage.
fn remote() -> Context {
    use opentelemetry::propagation::TextMapPropagator;
    let headers: MessageHeaders = [("traceparent", FOREIGN)].into_iter().collect();
    W3cPropagator::new()
        .extract_with_context(&Context::new(), &headers)
        .with_baggage([KeyValue::new("tenant.id", "acme")])
}

#[tokio::test]
async fn without_an_sdk_context_and_baggage_pass_through() -> Result<()> {
    let cluster = Cluster::start()?;
    let settings = Settings::default().tracer_provider(NoopTracerProvider::new()).propagator(W3cPropagator::new());
    let producer = cluster.producer(&settings)?;
    producer.send(record(), TIMEOUT).with_context(remote()).await.map_err(|(error, _)| error)?;
    assert!(producer.send_batch([record()], TIMEOUT).with_context(remote()).await.iter().all(Result::is_ok));
    assert_ne!(producer.status(), Status::Active);
    for record in cluster.records(2)? {
        let sent = listed(record.headers()).unwrap_or_default();
        assert_eq!((values(&sent, "traceparent"), values(&sent, "baggage")), (vec![FOREIGN], vec!["tenant.id=acme"]));
    }
    Ok(())
}

#[tokio::test]
async fn where_telemetry_is_suppressed_the_record_passes_untouched() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    let suppressed = remote().with_telemetry_suppressed();
    producer.send(record(), TIMEOUT).with_context(suppressed.clone()).await.map_err(|(error, _)| error)?;
    assert!(producer.send_batch([record()], TIMEOUT).with_context(suppressed).await.iter().all(Result::is_ok));
    assert_eq!(capture.spans().len(), 0);
    for record in cluster.records(2)? {
        assert_eq!(listed(record.headers()), None);
    }
    Ok(())
}

/// The one test that touches the process's provider: all others bring their own.
#[tokio::test]
async fn a_provider_that_is_set_late_is_found() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&Settings::default())?;
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    assert_ne!(producer.status(), Status::Active);
    global::set_tracer_provider(capture.tracer_provider("shop"));
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    assert_eq!(producer.status(), Status::Active);
    assert!(!capture.span("send orders").is_error());
    assert!(!Context::current().has_active_span());
    Ok(())
}
