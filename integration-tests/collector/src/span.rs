//! Spans of OTLP, as the SDK has them.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    Array, InstrumentationScope, KeyValue, SpanId, StringValue, TraceFlags, TraceId, Value,
    trace::{Event, Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_proto::tonic::{
    common::v1::{self as common, AnyValue, any_value},
    trace::v1::{ResourceSpans, Span, span, span::SpanKind as Kind, status::StatusCode},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use traced_envelope::testing::CapturedSpan;

/// In the upper bits of `flags` (opentelemetry-proto, trace.proto, `SpanFlags`): whether it is known that the parent, or the linked
/// span, came over the wire, and whether it did.
const IS_REMOTE: u32 = 0x300;

pub(crate) fn captured(resource: &ResourceSpans) -> Vec<CapturedSpan> {
    let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
    let name = attributes.filter(|attribute| attribute.key == "service.name").find_map(|name| name.value.as_ref());
    // What the specification says a service without a name is called.
    let service = name.map_or_else(|| "unknown_service".to_owned(), |name| value(name).to_string());
    let mut spans = Vec::new();
    for scoped in &resource.scope_spans {
        let scope = scope(scoped.scope.as_ref(), &scoped.schema_url);
        spans.extend(scoped.spans.iter().map(|span| CapturedSpan::new(service.as_str(), data(span, scope.clone()))));
    }
    spans
}

fn scope(scope: Option<&common::InstrumentationScope>, schema_url: &str) -> InstrumentationScope {
    let Some(scope) = scope else { return InstrumentationScope::default() };
    let mut builder = InstrumentationScope::builder(scope.name.clone()).with_attributes(attributes(&scope.attributes));
    if !scope.version.is_empty() {
        builder = builder.with_version(scope.version.clone());
    }
    if !schema_url.is_empty() {
        builder = builder.with_schema_url(schema_url.to_owned());
    }
    builder.build()
}

fn data(span: &Span, scope: InstrumentationScope) -> SpanData {
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(link).collect();
    links.dropped_count = span.dropped_links_count;
    let mut events = SpanEvents::default();
    events.events = span.events.iter().map(event).collect();
    events.dropped_count = span.dropped_events_count;
    SpanData {
        span_context: context(&span.trace_id, &span.span_id, span.flags, false, &span.trace_state),
        parent_span_id: span_id(&span.parent_span_id),
        parent_span_is_remote: span.flags & IS_REMOTE == IS_REMOTE,
        span_kind: kind(span.kind()),
        name: span.name.clone().into(),
        start_time: time(span.start_time_unix_nano),
        end_time: time(span.end_time_unix_nano),
        attributes: attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events,
        links,
        status: status(span),
        instrumentation_scope: scope,
    }
}

fn context(trace_id: &[u8], id: &[u8], flags: u32, remote: bool, state: &str) -> SpanContext {
    let trace_id = trace_id.try_into().map_or(TraceId::INVALID, TraceId::from_bytes);
    // The lowest eight bits are the flags of the W3C.
    let [flags, ..] = flags.to_le_bytes();
    SpanContext::new(trace_id, span_id(id), TraceFlags::new(flags), remote, state.parse().unwrap_or(TraceState::NONE))
}

/// The first span of a trace has an empty parent.
fn span_id(id: &[u8]) -> SpanId {
    id.try_into().map_or(SpanId::INVALID, SpanId::from_bytes)
}

fn link(link: &span::Link) -> Link {
    let remote = link.flags & IS_REMOTE == IS_REMOTE;
    let context = context(&link.trace_id, &link.span_id, link.flags, remote, &link.trace_state);
    Link::new(context, attributes(&link.attributes), link.dropped_attributes_count)
}

fn event(event: &span::Event) -> Event {
    let attributes = attributes(&event.attributes);
    Event::new(event.name.clone(), time(event.time_unix_nano), attributes, event.dropped_attributes_count)
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Client => SpanKind::Client,
        Kind::Server => SpanKind::Server,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
        // "Implementations MAY assume SpanKind to be INTERNAL when receiving UNSPECIFIED": trace.proto.
        Kind::Internal | Kind::Unspecified => SpanKind::Internal,
    }
}

fn status(span: &Span) -> Status {
    match span.status.as_ref() {
        Some(status) if status.code() == StatusCode::Error => Status::error(status.message.clone()),
        Some(status) if status.code() == StatusCode::Ok => Status::Ok,
        _ => Status::Unset,
    }
}

fn time(nanoseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn attributes(attributes: &[common::KeyValue]) -> Vec<KeyValue> {
    let key_value =
        |attribute: &common::KeyValue| Some(KeyValue::new(attribute.key.clone(), value(attribute.value.as_ref()?)));
    attributes.iter().filter_map(key_value).collect()
}

/// Texts, numbers and truths, and lists of one of these; what the API has no type for becomes text.
fn value(any: &AnyValue) -> Value {
    match &any.value {
        Some(any_value::Value::StringValue(text)) => text.clone().into(),
        Some(any_value::Value::BoolValue(truth)) => (*truth).into(),
        Some(any_value::Value::IntValue(number)) => (*number).into(),
        Some(any_value::Value::DoubleValue(number)) => (*number).into(),
        Some(any_value::Value::ArrayValue(list)) => array(&list.values),
        Some(other) => format!("{other:?}").into(),
        None => "".into(),
    }
}

fn array(list: &[AnyValue]) -> Value {
    fn all<T>(values: &[Value], read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        values.iter().map(read).collect()
    }

    let values: Vec<_> = list.iter().map(value).collect();
    let truths = all(&values, |value| if let Value::Bool(truth) = value { Some(*truth) } else { None });
    let integers = || all(&values, |value| if let Value::I64(number) = value { Some(*number) } else { None });
    let numbers = || all(&values, |value| if let Value::F64(number) = value { Some(*number) } else { None });
    let texts = || values.iter().map(|value| StringValue::from(value.to_string())).collect();
    let array = truths
        .map(Array::Bool)
        .or_else(|| integers().map(Array::I64))
        .or_else(|| numbers().map(Array::F64))
        .unwrap_or_else(|| Array::String(texts()));
    Value::Array(array)
}
