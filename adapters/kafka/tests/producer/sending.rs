//! One record, one span.

use crate::cluster::{Cluster, TIMEOUT, TOPIC, listed, values};
use anyhow::Result;
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use std::sync::{Arc, Mutex};
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_envelope::{ExistingContext, Propagation, Settings};
use traced_kafka::TracedProducer;

fn text(span: &CapturedSpan, name: &str) -> Option<String> {
    span.attribute(name).map(ToString::to_string)
}

fn count(span: &CapturedSpan, name: &str) -> usize {
    span.attributes().iter().filter(|attribute| attribute.key.as_str() == name).count()
}

#[tokio::test]
async fn a_record_has_one_span_whose_context_it_carries_and_which_knows_where_it_went() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    let others = OwnedHeaders::new()
        .insert(Header { key: "tenant", value: Some("acme") })
        .insert(Header { key: "null", value: None::<&str> });
    for headers in [None, Some(others.clone())] {
        let record = FutureRecord { headers, ..FutureRecord::to(TOPIC).key("42").payload("{}") };
        producer.send(record, TIMEOUT).await.map_err(|(error, _)| error)?;
    }
    let spans = capture.spans();
    assert_eq!(spans.len(), 2);
    for (offset, span) in (0..).zip(&spans) {
        assert_eq!((span.name(), span.kind(), span.is_error()), ("send orders", SpanKind::Producer, false));
        for (name, value) in [
            ("messaging.system", "kafka"),
            ("messaging.operation.name", "send"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "orders"),
        ] {
            assert_eq!(text(span, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(span.attribute("messaging.destination.partition.id"), Some(&Value::from("0")), "as text");
        assert_eq!(span.attribute("messaging.kafka.offset"), Some(&Value::I64(offset)));
        for absent in
            ["messaging.kafka.message.key", "messaging.kafka.message.tombstone", "messaging.message.body.size"]
        {
            assert_eq!(count(span, absent), 0, "{absent}");
        }
    }
    for (record, (span, given)) in cluster.records(2)?.iter().zip(spans.iter().zip([None, Some(others)])) {
        let mut sent = listed(record.headers()).unwrap_or_default();
        let traceparent = sent.pop().and_then(|(name, value)| Some((name, String::from_utf8(value?).ok()?)));
        let expected = format!("00-{}-{}-01", span.trace_id(), span.span_id());
        assert_eq!(traceparent, Some(("traceparent".to_owned(), expected)));
        assert_eq!(sent, listed(given.as_ref()).unwrap_or_default());
        assert_eq!((record.key(), record.payload()), (Some(&b"42"[..]), Some(&b"{}"[..])));
    }
    Ok(())
}

#[tokio::test]
async fn the_span_is_a_child_of_the_current_one() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    let span = Context::current_with_span(capture.tracer("shop").start("checkout"));
    let sent = producer.send(FutureRecord::to(TOPIC).key("42").payload("{}"), TIMEOUT);
    opentelemetry::trace::FutureExt::with_context(sent, span.clone()).await.map_err(|(error, _)| error)?;
    span.span().end();
    capture.assert_trace(
        "
        checkout          shop  INTERNAL
        └─ send orders    shop  PRODUCER
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_partition_that_the_caller_chose_is_there_from_the_start_and_only_once() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let started = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&started);
    let settings = capture.settings("shop").on_send(move |_, attributes| {
        seen.lock().unwrap().push(attributes.clone());
    });
    let producer = cluster.producer(&settings)?;
    let record = || FutureRecord::to(TOPIC).key("42").payload("{}");
    producer.send(record().partition(0), TIMEOUT).await.map_err(|(error, _)| error)?;
    producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
    let partition = KeyValue::new("messaging.destination.partition.id", "0");
    let at_start: Vec<_> = started.lock().unwrap().iter().map(|of_span| of_span.contains(&partition)).collect();
    assert_eq!(at_start, [true, false]);
    for span in capture.spans() {
        assert_eq!(count(&span, "messaging.destination.partition.id"), 1);
    }
    Ok(())
}

#[tokio::test]
async fn keys_and_sizes_are_told_on_request_and_a_tombstone_always() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop").message_keys(true).message_sizes(true))?;
    let sent = [
        FutureRecord::to(TOPIC).key(&b"42"[..]).payload(&b"{}"[..]),
        FutureRecord::to(TOPIC).key(&b"\xff"[..]),
        FutureRecord::to(TOPIC).payload(&b""[..]),
    ];
    for record in sent {
        producer.send(record, TIMEOUT).await.map_err(|(error, _)| error)?;
    }
    let names = ["messaging.kafka.message.key", "messaging.message.body.size", "messaging.kafka.message.tombstone"];
    let told: Vec<_> = capture.spans().iter().map(|span| names.map(|name| text(span, name))).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(told, [[text("42"), text("2"), None], [None, None, text("true")], [None, text("0"), None]]);
    Ok(())
}

#[tokio::test]
async fn a_prepared_topic_sends_the_same_span_and_a_record_for_another_goes_there() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let orders = cluster.producer(&capture.settings("shop"))?.destination(TOPIC);
    let record = |topic| FutureRecord::to(topic).key("42").payload("{}");
    orders.send(record(TOPIC), TIMEOUT).await.map_err(|(error, _)| error)?;
    orders.send_result(record("refunds")).map_err(|(error, _)| error)?.await?.map_err(|(error, _)| error)?;
    capture.assert_trace(
        "
        send orders   shop  PRODUCER

        send refunds  shop  PRODUCER
        ",
    );
    Ok(())
}

#[tokio::test]
async fn where_nothing_is_to_be_written_the_headers_stay_as_they_are() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let mute = capture.settings("shop").propagation(Propagation::ExtractOnly);
    let off = capture.settings("shop").enabled(false);
    for settings in [&mute, &off] {
        let producer = cluster.producer(settings)?;
        let sent = producer.send(FutureRecord::to(TOPIC).key("42").payload("{}"), TIMEOUT).await;
        sent.map_err(|(error, _)| error)?;
    }
    assert_eq!(capture.spans().len(), 1, "propagation alone is switched off");
    for record in cluster.records(2)? {
        assert_eq!(listed(record.headers()), None);
    }
    Ok(())
}

#[tokio::test]
async fn an_existing_context_is_replaced_and_linked_or_kept() -> Result<()> {
    for (policy, kind) in [(ExistingContext::Replace, SpanKind::Producer), (ExistingContext::Keep, SpanKind::Client)] {
        let (cluster, capture) = (Cluster::start()?, Capture::new());
        let producer = cluster.producer(&capture.settings("shop").existing_context(policy))?;
        let record = FutureRecord::to(TOPIC).key("42").payload("{}").headers(crate::cluster::headers());
        producer.send(record, TIMEOUT).await.map_err(|(error, _)| error)?;
        let span = capture.span("send orders");
        assert_eq!(span.kind(), kind);
        let links: Vec<_> = span.links().iter().map(|link| link.span_context.span_id().to_string()).collect();
        assert_eq!(links, ["00f067aa0ba902b7"]);
        for record in cluster.records(1)? {
            let sent = listed(record.headers()).unwrap_or_default();
            if kind == SpanKind::Client {
                assert_eq!(Some(sent), listed(Some(&crate::cluster::headers())), "kept as it was");
                continue;
            }
            let ours = format!("00-{}-{}-01", span.trace_id(), span.span_id());
            assert_eq!((values(&sent, "traceparent"), values(&sent, "tracestate")), (vec![&*ours], vec![]));
            let rest: Vec<_> = sent.into_iter().filter(|(name, _)| !name.starts_with("trace")).collect();
            assert_eq!(rest, crate::cluster::others());
        }
    }
    Ok(())
}

/// rdkafka's `send` compiles in a spawned task, so ours must.
#[tokio::test]
async fn sending_works_in_spawned_tasks() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let producer = cluster.producer(&capture.settings("shop"))?;
    let orders = producer.destination(TOPIC);
    tokio::spawn(async move {
        let record = || FutureRecord::to(TOPIC).key("42").payload("{}");
        producer.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
        orders.send(record(), TIMEOUT).await.map_err(|(error, _)| error)?;
        producer.send_result(record()).map_err(|(error, _)| error)?.await?.map_err(|(error, _)| error)?;
        producer.send_batch([record(), record()], TIMEOUT).await;
        anyhow::Ok(())
    })
    .await??;
    // Three single sends, two creates and a batch.
    assert_eq!(capture.spans().len(), 6);
    Ok(())
}

/// `TracedProducer` alone names the default producer.
#[test]
fn a_producer_is_cloned_shared_and_shown() -> Result<()> {
    fn shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>(_: &T) {}
    let cluster = Cluster::start()?;
    let producer: TracedProducer = cluster.producer(&Settings::default())?;
    shared(&producer);
    shared(&producer.destination(TOPIC));
    Ok(())
}
