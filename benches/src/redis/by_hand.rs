//! What people write around redis by hand, and the least that the SDK costs.

use crate::sdk::stock_propagator;
use futures_util::FutureExt;
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Link, Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use redis::{Cmd, Msg};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;

type Headers = HashMap<String, String>;

/// A payload that is no JSON goes behind its headers, which are.
pub(super) fn publish(channel: &str, payload: &[u8]) {
    let context = Context::current_with_span(send_span("publish", channel, payload.len()));
    let frame = framed(&context, payload);
    black_box(Cmd::publish(channel, frame));
    context.span().end();
}

#[derive(serde::Serialize)]
struct Envelope<'v, T> {
    trace_context: Headers,
    payload: &'v T,
}

/// And one that is, beside them.
pub(super) fn publish_json<T: serde::Serialize>(channel: &str, value: &T) {
    let context = Context::current_with_span(send_span("publish", channel, 0));
    black_box(Cmd::publish(channel, enveloped(&context, value)));
    context.span().end();
}

pub(super) fn framed(context: &Context, payload: &[u8]) -> Vec<u8> {
    let mut frame = serde_json::to_vec(&injected(context)).unwrap_or_default();
    frame.push(b'\n');
    frame.extend_from_slice(payload);
    frame
}

pub(super) fn enveloped<T: serde::Serialize>(context: &Context, value: &T) -> Vec<u8> {
    serde_json::to_vec(&Envelope { trace_context: injected(context), payload: value }).unwrap_or_default()
}

pub(super) fn injected(context: &Context) -> Headers {
    let mut headers = Headers::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut headers));
    headers
}

/// A span with the process-wide tracer, and names put together for each message.
pub(super) fn send_span(operation: &'static str, channel: &str, size: usize) -> impl Span + Send + Sync + 'static {
    let tracer = global::tracer("shop");
    let attributes = attributes(operation, "send", channel, size);
    let name = [operation, " ", channel].concat();
    tracer.span_builder(name).with_kind(SpanKind::Producer).with_attributes(attributes).start(&tracer)
}

fn attributes(operation: &'static str, kind: &'static str, channel: &str, size: usize) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", "redis"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.destination.name", channel.to_owned()),
        KeyValue::new("messaging.message.body.size", i64::try_from(size).unwrap_or(0)),
    ]
}

#[derive(serde::Deserialize)]
struct Received<'m> {
    trace_context: Headers,
    #[serde(borrow)]
    payload: &'m RawValue,
}

/// Whatever the publisher above has sent.
pub(super) fn process(message: &Msg) {
    let whole = message.get_payload_bytes();
    let (headers, payload) = if let Ok(received) = serde_json::from_slice::<Received<'_>>(whole) {
        (received.trace_context, received.payload.get().as_bytes())
    } else {
        let parts = whole.iter().position(|byte| *byte == b'\n').and_then(|end| whole.split_at_checked(end));
        let framed = parts.and_then(|(head, rest)| Some((serde_json::from_slice(head).ok()?, rest.get(1..)?)));
        framed.unwrap_or((Headers::new(), whole))
    };
    let channel = message.get_channel_name();
    run(&headers, ["process ", channel].concat(), attributes("process", "process", channel, payload.len()), payload);
}

/// Runs the handler in a span that is the publisher's child and linked to it.
pub(super) fn run(headers: &impl Extractor, name: String, attributes: Vec<KeyValue>, payload: &[u8]) {
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), headers));
    let tracer = global::tracer("warehouse");
    let mut builder = tracer.span_builder(name).with_kind(SpanKind::Consumer).with_attributes(attributes);
    let creation = parent.span().span_context().clone();
    if creation.is_valid() {
        builder = builder.with_links(vec![Link::with_context(creation)]);
    }
    let context = parent.with_span(tracer.build_with_context(builder, &parent));
    let handled = handler(payload).with_context(context.clone()).now_or_never();
    if let Some(Err(error)) = handled {
        context.span().set_status(Status::error(error.to_string()));
    }
    context.span().end();
}

/// The handler of all cases.
pub(super) async fn handler(payload: &[u8]) -> Result<(), Infallible> {
    black_box(payload);
    Ok(())
}

/// The SDK's own cost of a producer: a span with the same attributes from a tracer that is kept, injected into a map.
pub(super) fn floor<T: Tracer>(tracer: &T, propagator: &dyn TextMapPropagator)
where
    T::Span: Send + Sync + 'static,
{
    let builder = tracer.span_builder("publish orders").with_kind(SpanKind::Producer);
    let span = tracer.build(builder.with_attributes(kept("publish", "send")));
    let context = Context::current_with_span(span);
    let mut headers = Headers::new();
    propagator.inject_context(&context, &mut headers);
    black_box(&headers);
    context.span().end();
}

fn kept(operation: &'static str, kind: &'static str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", "redis"),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", kind),
        KeyValue::new("messaging.destination.name", "orders"),
        KeyValue::new("messaging.message.body.size", 100),
    ]
}

/// The SDK's own cost of a consumer: extracted from a map, then a linked span with the same attributes.
pub(super) fn floor_of_consumer<T: Tracer, P: TextMapPropagator>(
    tracer: T,
    propagator: P,
    creation: &Context,
) -> impl FnMut() + use<T, P> {
    let mut headers = Headers::new();
    stock_propagator().inject_context(creation, &mut headers);
    move || {
        let parent = propagator.extract_with_context(&Context::new(), &headers);
        let builder = tracer.span_builder("process orders").with_kind(SpanKind::Consumer);
        let links = vec![Link::with_context(parent.span().span_context().clone())];
        let builder = builder.with_attributes(kept("process", "process")).with_links(links);
        let mut span = tracer.build_with_context(builder, &parent);
        span.end();
        black_box(span);
    }
}
