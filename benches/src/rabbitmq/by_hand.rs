//! What people write around lapin by hand, and the least that the SDK costs.

use futures_util::FutureExt;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Link, Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;

/// How a text is put together.
pub(super) type Text = fn(&[&str], &str) -> String;

/// As nearly everyone does: the text grows on its way, which takes a second allocation.
pub(super) fn formatted(parts: &[&str], between: &str) -> String {
    match parts {
        [first, second] => format!("{first}{between}{second}"),
        [first, second, third] => format!("{first}{between}{second}{between}{third}"),
        _ => parts.concat(),
    }
}

/// As those do who have looked at a profile.
pub(super) fn joined(parts: &[&str], between: &str) -> String {
    parts.join(between)
}

/// A producer with the process-wide tracer and propagator, and names put together for each message.
pub(super) fn publish(exchange: &str, routing_key: &str, properties: BasicProperties, text: Text) {
    let tracer = global::tracer("shop");
    let destination = text(&[exchange, routing_key], ":");
    let name = text(&["publish", &destination], " ");
    let mut attributes = Vec::with_capacity(6);
    attributes.extend([
        KeyValue::new("messaging.system", "rabbitmq"),
        KeyValue::new("messaging.operation.name", "publish"),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.rabbitmq.destination.routing_key", routing_key.to_owned()),
        KeyValue::new("messaging.destination.name", destination),
    ]);
    if let Some(id) = properties.message_id() {
        attributes.push(KeyValue::new("messaging.message.id", id.to_string()));
    }
    let span = tracer.span_builder(name).with_kind(SpanKind::Producer).with_attributes(attributes).start(&tracer);
    let context = Context::current_with_span(span);
    let mut headers = properties.headers().clone().unwrap_or_default();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut TableInjector(&mut headers));
    });
    black_box(properties.with_headers(headers));
    context.span().end();
}

/// A consumer with the process-wide tracer and propagator, whose span is the publisher's child and linked to it.
pub(super) fn consume(queue: &str, delivery: &Delivery, text: Text) {
    let parent = match delivery.properties.headers() {
        Some(headers) => global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &TableExtractor(headers))
        }),
        None => Context::new(),
    };
    let tracer = global::tracer("warehouse");
    let (exchange, routing_key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
    let destination = text(&[exchange, routing_key, queue], ":");
    let name = text(&["process", &destination], " ");
    let mut builder = tracer.span_builder(name).with_kind(SpanKind::Consumer).with_attributes(vec![
        KeyValue::new("messaging.system", "rabbitmq"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.rabbitmq.destination.routing_key", routing_key.to_owned()),
        KeyValue::new("messaging.rabbitmq.message.delivery_tag", i64::try_from(delivery.delivery_tag).unwrap_or(0)),
        KeyValue::new("messaging.destination.name", destination),
        KeyValue::new("messaging.message.attempt", 1 + i64::from(delivery.redelivered)),
    ]);
    let creation = parent.span().span_context().clone();
    if creation.is_valid() {
        builder = builder.with_links(vec![Link::with_context(creation)]);
    }
    let span = tracer.build_with_context(builder, &parent);
    let context = parent.with_span(span);
    let handled = handler(delivery).with_context(context.clone()).now_or_never();
    if let Some(Err(error)) = handled {
        context.span().set_status(Status::error(error.to_string()));
    }
    context.span().end();
}

/// The handler of all cases.
pub(super) async fn handler(delivery: &Delivery) -> Result<(), Infallible> {
    black_box(delivery);
    Ok(())
}

/// The SDK's own cost of a producer: a span with the same attributes from a tracer that is kept, all texts there already, injected
/// into a map.
pub(super) fn floor<T: Tracer>(tracer: &T, propagator: &dyn TextMapPropagator)
where
    T::Span: Send + Sync + 'static,
{
    let span = tracer.build(
        tracer.span_builder("publish orders:order.created").with_kind(SpanKind::Producer).with_attributes(vec![
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.rabbitmq.destination.routing_key", "order.created"),
            KeyValue::new("messaging.destination.name", "orders:order.created"),
            KeyValue::new("messaging.message.id", super::MESSAGE_ID),
        ]),
    );
    let context = Context::current_with_span(span);
    let mut headers = HashMap::new();
    propagator.inject_context(&context, &mut headers);
    black_box(&headers);
    context.span().end();
}

/// The SDK's own cost of a consumer: extracted from a map, then a linked span with the same attributes.
pub(super) fn floor_of_consumer<T: Tracer>(
    tracer: &T,
    propagator: &dyn TextMapPropagator,
    headers: &HashMap<String, String>,
    tag: i64,
) where
    T::Span: Send + Sync + 'static,
{
    let parent = propagator.extract_with_context(&Context::new(), headers);
    let builder = tracer
        .span_builder("process orders:order.created:inventory")
        .with_kind(SpanKind::Consumer)
        .with_attributes(vec![
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.rabbitmq.destination.routing_key", "order.created"),
            KeyValue::new("messaging.destination.name", "orders:order.created:inventory"),
            KeyValue::new("messaging.rabbitmq.message.delivery_tag", tag),
            KeyValue::new("messaging.message.attempt", 1),
        ]);
    let links = vec![Link::with_context(parent.span().span_context().clone())];
    let mut span = tracer.build_with_context(builder.with_links(links), &parent);
    span.end();
    black_box(span);
}

pub(super) struct TableInjector<'a>(pub(super) &'a mut FieldTable);

impl Injector for TableInjector<'_> {
    fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.into(), AMQPValue::LongString(value.into()));
    }
}

pub(super) struct TableExtractor<'a>(pub(super) &'a FieldTable);

impl Extractor for TableExtractor<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match self.0.inner().get(name)? {
            AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.inner().keys().map(ShortString::as_str).collect()
    }
}
