//! What people write around rdkafka by hand, and the least that the SDK costs.

use futures_util::FutureExt;
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Link, Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, Header, Headers, OwnedHeaders, OwnedMessage};
use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

/// A producer with the process-wide tracer and propagator, and names put together for each message.
pub(super) fn send(topic: &str, headers: Option<OwnedHeaders>, partition: i32, offset: i64) {
    let tracer = global::tracer("shop");
    let mut attributes = Vec::with_capacity(6);
    attributes.extend([
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.name", "send"),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.destination.name", topic.to_owned()),
    ]);
    let name = format!("send {topic}");
    let span = tracer.span_builder(name).with_kind(SpanKind::Producer).with_attributes(attributes).start(&tracer);
    let context = Context::current_with_span(span);
    let mut carrier = RecordInjector(headers.unwrap_or_default());
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    black_box(carrier.0);
    // The delivery report.
    let span = context.span();
    span.set_attribute(KeyValue::new("messaging.destination.partition.id", partition.to_string()));
    span.set_attribute(KeyValue::new("messaging.kafka.offset", offset));
    span.end();
}

/// A consumer with the process-wide tracer and propagator, whose span is the sender's child and linked to it.
pub(super) fn process(message: &OwnedMessage) {
    let parent = match message.headers() {
        Some(headers) => global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &RecordExtractor(headers.as_borrowed()))
        }),
        None => Context::new(),
    };
    let tracer = global::tracer("warehouse");
    let topic = message.topic();
    let mut builder =
        tracer.span_builder(format!("process {topic}")).with_kind(SpanKind::Consumer).with_attributes(vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", topic.to_owned()),
            KeyValue::new("messaging.destination.partition.id", message.partition().to_string()),
            KeyValue::new("messaging.kafka.offset", message.offset()),
            KeyValue::new("messaging.message.wait", waited(message).as_secs_f64()),
        ]);
    let creation = parent.span().span_context().clone();
    if creation.is_valid() {
        builder = builder.with_links(vec![Link::with_context(creation)]);
    }
    let span = tracer.build_with_context(builder, &parent);
    let context = parent.with_span(span);
    let handled = handler(message).with_context(context.clone()).now_or_never();
    if let Some(Err(error)) = handled {
        context.span().set_status(Status::error(error.to_string()));
    }
    context.span().end();
}

fn waited(message: &OwnedMessage) -> Duration {
    let sent = message.timestamp().to_millis().and_then(|sent| u64::try_from(sent).ok()).unwrap_or_default();
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_millis(sent)).unwrap_or_default()
}

/// The handler of all cases.
pub(super) async fn handler(message: &OwnedMessage) -> Result<(), Infallible> {
    black_box(message);
    Ok(())
}

/// The SDK's own cost of a producer: a span with the same attributes from a tracer that is kept, all texts there already, injected
/// into a map.
pub(super) fn floor<T: Tracer>(tracer: &T, propagator: &dyn TextMapPropagator, offset: i64)
where
    T::Span: Send + Sync + 'static,
{
    let mut attributes = Vec::with_capacity(6);
    attributes.extend([
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.name", "send"),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.destination.name", "orders"),
    ]);
    let builder = tracer.span_builder("send orders").with_kind(SpanKind::Producer).with_attributes(attributes);
    let context = Context::current_with_span(tracer.build(builder));
    let mut headers = HashMap::new();
    propagator.inject_context(&context, &mut headers);
    black_box(&headers);
    let span = context.span();
    span.set_attribute(KeyValue::new("messaging.destination.partition.id", "3"));
    span.set_attribute(KeyValue::new("messaging.kafka.offset", offset));
    span.end();
}

/// The SDK's own cost of a consumer: extracted from a map, then a linked span with the same attributes.
pub(super) fn floor_of_consumer<T: Tracer>(
    tracer: &T,
    propagator: &dyn TextMapPropagator,
    headers: &HashMap<String, String>,
    message: &OwnedMessage,
) where
    T::Span: Send + Sync + 'static,
{
    let parent = propagator.extract_with_context(&Context::new(), headers);
    let builder = tracer.span_builder("process orders").with_kind(SpanKind::Consumer).with_attributes(vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", "orders"),
        KeyValue::new("messaging.destination.partition.id", "3"),
        KeyValue::new("messaging.kafka.offset", message.offset()),
        KeyValue::new("messaging.message.wait", waited(message).as_secs_f64()),
    ]);
    let links = vec![Link::with_context(parent.span().span_context().clone())];
    let mut span = tracer.build_with_context(builder.with_links(links), &parent);
    span.end();
    black_box(span);
}

struct RecordInjector(OwnedHeaders);

impl Injector for RecordInjector {
    fn set(&mut self, key: &str, value: String) {
        let headers = std::mem::take(&mut self.0);
        self.0 = headers.insert(Header { key, value: Some(&value) });
    }
}

struct RecordExtractor<'a>(&'a BorrowedHeaders);

impl Extractor for RecordExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let header = self.0.iter().find(|header| header.key == key)?;
        std::str::from_utf8(header.value?).ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|header| header.key).collect()
    }
}
