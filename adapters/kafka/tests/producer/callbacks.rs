//! Producers with delivery callbacks.

use crate::cluster::{Cluster, TIMEOUT, TOPIC, headers, listed, values};
use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt, Tracer};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{
    BaseProducer, BaseRecord, DefaultProducerContext, DeliveryResult, NoCustomPartitioner, Partitioner, Producer,
    ProducerContext, PurgeConfig, ThreadedProducer,
};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::sync::mpsc;
use traced_envelope::testing::Capture;
use traced_kafka::{TracedContext, TracedProducer};

/// The application's own value for a record.
#[derive(Debug, PartialEq)]
struct Order(&'static str);

/// What the application's callback saw: its own opaque value, the error, the current span.
#[derive(Debug)]
struct Seen {
    opaque: Box<Order>,
    error: Option<KafkaError>,
    current: SpanId,
}

struct Callbacks {
    deliveries: mpsc::Sender<Seen>,
    statistics: mpsc::Sender<usize>,
    partitioner: Last,
}

/// Puts everything into the last partition.
#[derive(Clone)]
struct Last;

impl Partitioner for Last {
    fn partition(&self, _: &str, _: Option<&[u8]>, partitions: i32, _: impl Fn(i32) -> bool) -> i32 {
        partitions - 1
    }
}

impl ClientContext for Callbacks {
    fn stats_raw(&self, statistics: &[u8]) {
        self.statistics.send(statistics.len()).ok();
    }
}

impl Callbacks {
    fn seen(&self, delivery: &DeliveryResult<'_>, opaque: Box<Order>) {
        let error = delivery.as_ref().err().map(|(error, _)| error.clone());
        let current = Context::current().span().span_context().span_id();
        self.deliveries.send(Seen { opaque, error, current }).ok();
    }
}

impl ProducerContext<Last> for Callbacks {
    type DeliveryOpaque = Box<Order>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, opaque: Box<Order>) {
        self.seen(delivery, opaque);
    }

    fn get_custom_partitioner(&self) -> Option<&Last> {
        Some(&self.partitioner)
    }
}

impl ProducerContext<NoCustomPartitioner> for Callbacks {
    type DeliveryOpaque = Box<Order>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, opaque: Box<Order>) {
        self.seen(delivery, opaque);
    }
}

fn callbacks() -> (TracedContext<Callbacks>, mpsc::Receiver<Seen>, mpsc::Receiver<usize>) {
    let ((deliveries, seen), (statistics, counted)) = (mpsc::channel(), mpsc::channel());
    (TracedContext::new(Callbacks { deliveries, statistics, partitioner: Last }), seen, counted)
}

fn record(number: &'static str) -> BaseRecord<'static, str, str, Box<Order>> {
    BaseRecord::with_opaque_to(TOPIC, Box::new(Order(number))).key("42").payload("{}").headers(headers())
}

#[test]
fn the_span_ends_with_the_delivery_and_the_callback_has_its_own_value() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let (context, seen, _) = callbacks();
    let producer: BaseProducer<_> = cluster.config().create_with_context(context)?;
    let producer: TracedProducer<BaseProducer<_, NoCustomPartitioner>> =
        TracedProducer::with_settings(producer, &capture.settings("shop"));
    producer.send(record("first")).map_err(|(error, _)| error)?;
    assert_eq!(capture.open_spans().len(), 1, "nobody has polled yet");
    producer.get_ref().flush(TIMEOUT)?;

    let seen = seen.recv_timeout(TIMEOUT)?;
    let span = capture.span("send orders");
    assert_eq!((*seen.opaque, seen.error, seen.current), (Order("first"), None, span.span_id()));
    assert!(!Context::current().has_active_span(), "the callback's context has not leaked");
    assert_eq!(span.attribute("messaging.destination.partition.id"), Some(&"0".into()));
    assert_eq!(span.attribute("messaging.kafka.offset"), Some(&0.into()));
    for record in cluster.records(1)? {
        let sent = listed(record.headers()).unwrap_or_default();
        let ours = format!("00-{}-{}-01", span.trace_id(), span.span_id());
        assert_eq!(values(&sent, "traceparent"), [ours]);
    }
    Ok(())
}

#[test]
fn a_threaded_producer_with_a_partitioner_of_its_own_is_traced_too() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    cluster.0.create_topic("wide", 4, 1)?;
    let (context, seen, counted) = callbacks();
    let producer: ThreadedProducer<TracedContext<Callbacks>, Last> = cluster
        .config()
        .set("statistics.interval.ms", "10")
        // rdkafka 0.39 crashes with a partitioner where no option of topics is set: librdkafka has no place for it then.
        .set("message.timeout.ms", "10000")
        .create_with_context(context)?;
    let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    capture.tracer("shop").in_span("checkout", |_| {
        producer.send(BaseRecord { topic: "wide", ..record("wide") }).map_err(|(error, _)| error)
    })?;
    assert_eq!(*seen.recv_timeout(TIMEOUT)?.opaque, Order("wide"));
    assert!(counted.recv_timeout(TIMEOUT)? > 0, "statistics are passed on");
    let (sent, checkout) = (capture.span("send wide"), capture.span("checkout"));
    assert_eq!(sent.parent_id(), Some(checkout.span_id()));
    assert_eq!(sent.attribute("messaging.destination.partition.id"), Some(&"3".into()), "the partitioner was asked");
    Ok(())
}

#[test]
fn a_failed_delivery_is_the_spans_error_and_the_callbacks() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let (context, seen, _) = callbacks();
    let producer: ThreadedProducer<TracedContext<Callbacks>> = cluster.config().create_with_context(context)?;
    let orders = TracedProducer::with_settings(producer, &capture.settings("shop")).destination(TOPIC);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.0.request_errors(RDKafkaApiKey::Produce, &[refused]);
    orders.send(record("refused")).map_err(|(error, _)| error)?;
    let seen = seen.recv_timeout(TIMEOUT)?;
    assert_eq!(seen.error, Some(KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed)));
    let failed = capture.span("send orders").attribute("error.type").map(ToString::to_string);
    assert_eq!(failed.as_deref(), Some("TOPIC_AUTHORIZATION_FAILED"));
    Ok(())
}

#[test]
fn a_record_that_is_not_queued_comes_back_as_it_was_given() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    let (context, seen, _) = callbacks();
    let producer: BaseProducer<TracedContext<Callbacks>> =
        cluster.config().set("queue.buffering.max.messages", "1").create_with_context(context)?;
    cluster.0.broker_down(1)?;
    let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    producer.send(record("queued")).map_err(|(error, _)| error)?;

    let (error, back) = producer.send(record("back")).err().unwrap();
    assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
    assert_eq!((back.topic, back.key, back.payload), (TOPIC, Some("42"), Some("{}")));
    assert_eq!(*back.delivery_opaque, Order("back"));
    assert_eq!(listed(back.headers.as_ref()), listed(Some(&headers())));
    let failed = capture.span("send orders").attribute("error.type").map(ToString::to_string);
    assert_eq!(failed.as_deref(), Some("_QUEUE_FULL"));

    // What is purged was not delivered: the callback and the span hear of it.
    capture.clear();
    producer.get_ref().purge(PurgeConfig::default().queue().inflight());
    producer.get_ref().flush(TIMEOUT)?;
    assert_eq!(*seen.recv_timeout(TIMEOUT)?.opaque, Order("queued"));
    let purged = capture.span("send orders").attribute("error.type").map(ToString::to_string);
    assert_eq!(purged.as_deref(), Some("_PURGE_QUEUE"));
    capture.assert_no_open_spans();
    Ok(())
}

#[test]
fn a_producer_that_is_dropped_ends_the_spans_of_what_it_has_queued() -> Result<()> {
    let (cluster, capture) = (Cluster::start()?, Capture::new());
    cluster.0.broker_down(1)?;
    let context = TracedContext::new(DefaultProducerContext);
    let producer: BaseProducer<_> = cluster.config().create_with_context(context)?;
    let producer: TracedProducer<BaseProducer<_, NoCustomPartitioner>> =
        TracedProducer::with_settings(producer, &capture.settings("shop"));
    producer.send(BaseRecord::to(TOPIC).key("42").payload("{}")).map_err(|(error, _)| error)?;
    drop(producer);
    let purged = capture.span("send orders").attribute("error.type").map(ToString::to_string);
    assert_eq!(purged.as_deref(), Some("_PURGE_QUEUE"));
    Ok(())
}
