//! A consumed message that is sent on.

use crate::cluster::{Cluster, TOPIC, within};
use crate::raw_headers;
use opentelemetry::trace::SpanKind;
use rdkafka::Message;
use rdkafka::consumer::StreamConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::FutureRecord;
use std::time::Duration;
use traced_kafka::{NativeMessage, TracedConsumer, TracedProducer};

type Raw = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn both(cluster: &Cluster) -> (TracedConsumer<StreamConsumer>, TracedProducer) {
    let settings = cluster.capture.settings("warehouse");
    (
        TracedConsumer::with_settings(cluster.assigned(), &settings),
        TracedProducer::with_settings(cluster.producer.clone(), &settings),
    )
}

fn raw(message: &impl NativeMessage) -> Raw {
    message.native_headers().map(raw_headers::all).unwrap_or_default()
}

fn named<'a>(headers: &'a Raw, name: &str) -> Vec<&'a str> {
    let named = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, value)| std::str::from_utf8(value.as_ref().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn attempts_are_counted_and_linked_and_headers_do_not_pile_up() {
    let cluster = Cluster::new();
    let context = raw_headers::all(cluster.traced_headers().as_borrowed());
    let (traceparent, binary) = (context[0].1.as_deref(), Some(&b"\xff\x00\xfe"[..]));
    let headers: &[(&[u8], Option<&[u8]>)] = &[
        (b"first", Some(b"1")),
        (b"\xff\xfe", binary),
        (b"traceparent", traceparent),
        (b"same", Some(b"a")),
        (b"null", None),
        (b"same", Some(b"b")),
        (b"empty", Some(b"")),
    ];
    cluster.send(Some(raw_headers::list(headers))).await;
    let sent: Raw = headers.iter().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect();
    let (consumer, producer) = both(&cluster);
    for attempt in 1..=3 {
        let message = within(consumer.recv()).await.unwrap();
        assert_eq!(message.attempt(), attempt);
        let expected = if attempt == 1 {
            sent.clone()
        } else {
            [&sent[..], &[(b"x-attempt".to_vec(), Some(attempt.to_string().into_bytes()))]].concat()
        };
        assert_eq!(raw(message.get_ref()), expected, "attempt {attempt}");
        assert_eq!((message.get_ref().key(), message.get_ref().payload()), (Some(&b"42"[..]), Some(&b"{}"[..])));
        let retried = message.process(async |message| {
            cluster.reserve_stock();
            if attempt < 3 {
                producer.retry(&message, attempt, TOPIC).await
            } else {
                producer.republish(&message, TOPIC).await
            }
        });
        within(retried).await.unwrap();
    }
    let dead = within(consumer.recv()).await.unwrap().detach();
    assert_eq!(raw(dead.get_ref()), sent, "the next topic counts its own attempts");
    cluster.capture.assert_trace(
        "
        send orders                 shop       PRODUCER
        ├─ process orders           warehouse  CONSUMER  → send orders
        │  ├─ reserve stock         warehouse  INTERNAL
        │  └─ send orders           warehouse  CLIENT    → send orders
        ├─ process orders           warehouse  CONSUMER  → send orders
        │  ├─ reserve stock         warehouse  INTERNAL
        │  └─ send orders           warehouse  CLIENT    → send orders
        └─ process orders           warehouse  CONSUMER  → send orders
           ├─ reserve stock         warehouse  INTERNAL
           └─ send orders           warehouse  CLIENT    → send orders
        ",
    );
}

#[tokio::test]
async fn whatever_a_message_carries_its_copy_carries_one_context() {
    let cluster = Cluster::new();
    let first = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let second = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";
    let (consumer, producer) = both(&cluster);
    for (case, carried) in [("none", &[][..]), ("nonsense", &["?"]), ("two that differ", &[first, second])] {
        let headers: Vec<(&[u8], _)> =
            carried.iter().map(|value| (&b"traceparent"[..], Some(value.as_bytes()))).collect();
        cluster.send(Some(raw_headers::list(&headers))).await;
        let message = within(consumer.recv()).await.unwrap();
        within(producer.retry(message.get_ref(), 1, TOPIC)).await.unwrap();
        let copy = within(consumer.recv()).await.unwrap();
        let span = cluster.capture.span("send orders");
        let headers = raw(copy.get_ref());
        let written = format!("00-{}-{}-01", span.trace_id(), span.span_id());
        assert_eq!(named(&headers, "traceparent"), [written.as_str()], "{case}");
        assert_eq!((named(&headers, "x-attempt"), span.kind()), (vec!["2"], SpanKind::Producer), "{case}");
        cluster.capture.clear();
    }
}

#[tokio::test]
async fn a_tombstone_stays_one_and_its_time_is_counted_from_here() {
    let cluster = Cluster::new();
    let record = FutureRecord::<str, [u8]>::to(TOPIC).partition(0).key("42").timestamp(1);
    within(cluster.producer.send(record, Duration::ZERO)).await.unwrap();
    let (consumer, producer) = both(&cluster);
    let message = within(consumer.recv()).await.unwrap();
    let delivery = within(producer.republish(message.get_ref(), TOPIC)).await.unwrap();
    let copy = within(consumer.recv()).await.unwrap();
    let copy = copy.get_ref();
    assert_eq!((copy.key(), copy.payload()), (Some(&b"42"[..]), None));
    assert_eq!((copy.partition(), copy.offset()), (delivery.partition, delivery.offset));
    assert!(copy.timestamp().to_millis().unwrap() > 1_000_000);
    assert!(raw(copy).iter().all(|(name, _)| name.as_slice() == b"traceparent"));
}

#[tokio::test]
async fn a_copy_that_the_broker_refuses_is_the_callers_error() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    let (consumer, producer) = both(&cluster);
    let message = within(consumer.recv()).await.unwrap();
    cluster.refuse_next_send();
    let refused = within(producer.republish(message.get_ref(), "orders.dead")).await;
    assert_eq!(refused.unwrap_err(), KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed));
    let span = cluster.capture.span("send orders.dead");
    assert_eq!(span.attribute("error.type"), Some(&"TOPIC_AUTHORIZATION_FAILED".into()));
    cluster.capture.assert_no_open_spans();
}

/// Compiles, too.
#[tokio::test]
async fn messages_are_sent_on_inside_spawned_tasks() {
    let cluster = Cluster::new();
    cluster.send(Some(cluster.traced_headers())).await;
    let (consumer, producer) = both(&cluster);
    let task = tokio::spawn(async move {
        let message = consumer.recv().await?;
        message.process(async |message| producer.republish(&message, "orders.dead").await).await
    });
    within(task).await.unwrap().unwrap();
    assert_eq!(cluster.capture.span("send orders.dead").kind(), SpanKind::Client);
}
