//! One message, one span.

use crate::cluster::{Cluster, TOPIC, warehouse, within};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::{Array, Context, StringValue, Value};
use rdkafka::Message;
use rdkafka::consumer::StreamConsumer;
use rdkafka::message::{Header, Timestamp};
use rdkafka::producer::FutureRecord;
use std::time::{Duration, SystemTime};
use traced_envelope::testing::CapturedSpan;
use traced_kafka::TracedConsumer;

fn processed(cluster: &Cluster) -> CapturedSpan {
    cluster.capture.assert_no_open_spans();
    cluster.capture.span("process orders")
}

#[tokio::test]
async fn the_handlers_spans_are_below_the_process_span_which_is_below_the_send_span_and_links_it() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    let consumer = warehouse(&cluster);
    let message = within(consumer.recv()).await.unwrap();
    assert!(cluster.capture.open_spans().is_empty(), "a message that waits has no span");
    let length = message
        .process(async |message| {
            tokio::task::yield_now().await;
            cluster.reserve_stock();
            Ok::<_, std::fmt::Error>(message.payload().map(<[u8]>::len))
        })
        .await;
    assert_eq!(length, Ok(Some(2)));
    assert!(!Cluster::current_is_valid(), "the context went away with the handler");
    cluster.capture.assert_trace(
        "
        send orders            shop       PRODUCER
        └─ process orders      warehouse  CONSUMER  → send orders
           └─ reserve stock    warehouse  INTERNAL
        ",
    );
}

#[tokio::test]
async fn the_span_says_what_kafka_says_of_the_message() {
    let cluster = Cluster::new();
    let headers = cluster.traced_headers();
    let headers = headers.insert(Header { key: "x-attempt", value: Some("3") });
    let headers = headers.insert(Header { key: "X-Tenant", value: Some("acme") });
    cluster.send_to(TOPIC, 1, None).await;
    cluster.send_to(TOPIC, 1, Some(headers)).await;
    let settings = cluster.capture.settings("warehouse").consumer_group("warehouse").client_id("w-1");
    let settings = settings.message_keys(true).message_sizes(true).capture_headers(["x-tenant"]);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    within(consumer.recv()).await.unwrap();
    let message = within(consumer.recv()).await.unwrap();
    assert_eq!((message.attempt(), message.get_ref().offset()), (3, 1));
    message.process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let span = processed(&cluster);
    let tenant = Value::Array(Array::String(vec![StringValue::from("acme")]));
    for (key, value) in [
        ("messaging.system", Value::from("kafka")),
        ("messaging.operation.name", "process".into()),
        ("messaging.operation.type", "process".into()),
        ("messaging.destination.name", "orders".into()),
        ("messaging.destination.partition.id", "1".into()),
        ("messaging.kafka.offset", 1.into()),
        ("messaging.kafka.message.key", "42".into()),
        ("messaging.message.body.size", 2.into()),
        ("messaging.consumer.group.name", "warehouse".into()),
        ("messaging.client.id", "w-1".into()),
        ("traced.message.attempt", 3.into()),
        ("messaging.header.x-tenant", tenant),
    ] {
        assert_eq!(span.attribute(key), Some(&value), "{key}");
    }
    let Some(Value::F64(waited)) = span.attribute("traced.message.wait.duration") else { panic!("no waiting time") };
    assert!((0.0..30.0).contains(waited), "{waited}");
    assert_eq!(span.attribute("messaging.kafka.message.tombstone"), None);
    assert_eq!(span.attribute("messaging.message.id"), None);
    assert_eq!(span.scope().name(), "traced-kafka");
}

#[tokio::test]
async fn what_is_opt_in_or_unknown_is_left_out_and_a_tombstone_is_named() {
    let cluster = Cluster::new();
    let record = FutureRecord::<str, [u8]>::to(TOPIC).partition(0).key("42").timestamp(0);
    within(cluster.producer.send(record, Duration::ZERO)).await.unwrap();
    let consumer = warehouse(&cluster);
    let message = within(consumer.recv()).await.unwrap();
    assert_eq!(message.attempt(), 1);
    message.process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let span = processed(&cluster);
    assert_eq!(span.attribute("messaging.kafka.message.tombstone"), Some(&true.into()));
    for key in [
        "messaging.kafka.message.key",
        "messaging.message.body.size",
        "messaging.consumer.group.name",
        "traced.message.attempt",
    ] {
        assert_eq!(span.attribute(key), None, "{key}");
    }
}

#[tokio::test]
async fn attempts_of_another_framework_are_heard_where_it_is_named() {
    let cluster = Cluster::new();
    let headers = cluster.traced_headers().insert(Header { key: "retry_topic-attempts", value: Some(&[0, 0, 0, 2]) });
    cluster.send(Some(headers)).await;
    let consumer = warehouse(&cluster);
    let message = within(consumer.recv()).await.unwrap().into_inner();
    assert_eq!(consumer.wrap(message.detach()).attempt(), 1);
    let spring = TracedConsumer::with_settings((), &cluster.capture.settings("warehouse"));
    let message = spring.attempt_headers(["retry_topic-attempts"]).wrap(message);
    assert_eq!(message.attempt(), 2);
    message.process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    assert_eq!(processed(&cluster).attribute("traced.message.attempt"), Some(&2.into()));
}

#[tokio::test]
async fn a_timestamp_of_the_future_is_no_waiting_time() {
    let cluster = Cluster::new();
    let soon = Timestamp::from(SystemTime::now() + Duration::from_secs(3600)).to_millis().unwrap();
    let record = FutureRecord::<str, str>::to(TOPIC).partition(0).payload("{}").timestamp(soon);
    within(cluster.producer.send(record, Duration::ZERO)).await.unwrap();
    let consumer = warehouse(&cluster);
    within(consumer.recv()).await.unwrap().process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    assert_eq!(processed(&cluster).attribute("traced.message.wait.duration"), Some(&0.0.into()));
}

#[tokio::test]
async fn baggage_reaches_the_handler_and_not_the_next_message() {
    let cluster = Cluster::new();
    let headers = cluster.traced_headers().insert(Header { key: "baggage", value: Some("tenant.id=acme") });
    cluster.send(Some(headers)).await;
    cluster.send(None).await;
    let consumer = warehouse(&cluster);
    let mut tenants = Vec::new();
    for _ in 0..2 {
        let message = within(consumer.recv()).await.unwrap();
        let tenant = message
            .process(async |_| {
                Ok::<_, std::fmt::Error>(Context::current().baggage().get("tenant.id").map(ToString::to_string))
            })
            .await;
        tenants.push(tenant.unwrap());
    }
    assert_eq!(tenants, [Some("acme".to_owned()), None]);
}

#[tokio::test]
async fn an_instrumented_loop_does_not_collect_every_message_in_one_trace() {
    use opentelemetry::context::FutureExt;
    use opentelemetry::trace::{TraceContextExt, Tracer};

    let cluster = Cluster::new();
    for _ in 0..2 {
        cluster.send(Some(cluster.traced_headers())).await;
    }
    let the_loop = Context::current_with_span(cluster.capture.tracer("warehouse").start("the loop"));
    async {
        let consumer = warehouse(&cluster);
        for _ in 0..2 {
            let message = within(consumer.recv()).await.unwrap();
            message.process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
        }
    }
    .with_context(the_loop)
    .await;
    assert_eq!(cluster.capture.trace_ids().len(), 3);
}
