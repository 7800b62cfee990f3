//! The W3C's cases, through the propagator as an application uses it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy.toml's exceptions for tests do not reach the functions that tests share"
)]

use opentelemetry::{
    Context,
    baggage::BaggageExt,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{Span, SpanContext, TraceContextExt, TraceFlags, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use serde_json::Value;
use traced_envelope::propagation::{W3cPropagator, parse_traceparent};

const TRACE_ID: &str = "12345678901234567890123456789012";
const SPAN_ID: &str = "1234567890123456";
const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

/// A carrier that may hold a name several times, and keeps the order.
#[derive(Debug, Default)]
struct Headers(Vec<(String, String)>);

impl Headers {
    fn new<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fields = fields.into_iter();
        Self(fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        assert!(self.get(key).is_none(), "{key} is written twice");
        assert!(value.is_ascii() && !value.is_empty(), "{key}: {value}");
        self.0.push((key.to_owned(), value));
    }
}

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.first().copied()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let fields = self.0.iter().filter(|(name, _)| name == key);
        let values = fields.map(|(_, value)| value.as_str()).collect::<Vec<_>>();
        (!values.is_empty()).then_some(values)
    }
}

fn cases(section: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let cases = vectors[section].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{section}");
    cases
}

/// `{x*3}` stands for `xxx`.
fn expand(text: &str) -> String {
    let Some((head, rest)) = text.split_once('{') else {
        return text.to_owned();
    };
    let (repeat, tail) = rest.split_once('}').unwrap();
    let (unit, times) = repeat.rsplit_once('*').unwrap();
    head.to_owned() + &unit.repeat(times.parse().unwrap()) + &expand(tail)
}

fn extract(headers: &Headers) -> Context {
    W3cPropagator::new().extract_with_context(&Context::new(), headers)
}

fn extract_span(headers: &Headers) -> SpanContext {
    extract(headers).span().span_context().clone()
}

fn inject(context: &Context) -> Headers {
    let mut headers = Headers::default();
    W3cPropagator::new().inject_context(context, &mut headers);
    headers
}

/// The headers that a span below `context` sends, with the stock SDK and this sampler.
fn inject_child(context: &Context, sampler: Sampler) -> (SpanContext, Headers) {
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    let span = provider.tracer("test").start_with_context("child", context);
    let child = span.span_context().clone();
    (child, inject(&context.with_span(span)))
}

#[test]
fn traceparent() {
    for case in cases("traceparent") {
        let text = case["v"].as_str().unwrap();
        let parsed = parse_traceparent(text.as_bytes());
        let extracted = extract_span(&Headers::new([("traceparent", text)]));
        if case["expect"] == "restart" {
            assert_eq!(parsed, None, "{case}");
            assert_eq!(extracted, SpanContext::NONE, "{case}");
            continue;
        }
        assert_eq!(parsed.as_ref(), Some(&extracted), "{case}");
        assert!(extracted.is_remote(), "{case}");
        let ids = format!("{}-{}", extracted.trace_id(), extracted.span_id());
        assert!(text.contains(&ids), "{case}");
        if let Some(sampled) = case["sampled"].as_bool() {
            assert_eq!(extracted.is_sampled(), sampled, "{case}");
        }
        let random = extracted.trace_flags() & TraceFlags::new(2) == TraceFlags::new(2);
        if let Some(expected) = case["random"].as_bool() {
            assert_eq!(random, expected, "{case}");
        }
        let flags = u8::from(extracted.is_sampled()) | u8::from(random) << 1;
        if let Some(expected) = case["reinject_flags"].as_str() {
            assert_eq!(format!("{flags:02x}"), expected, "{case}");
        }

        // Passed on by a service without an SDK: the same header, in version 00.
        let context = extract(&Headers::new([("traceparent", text)]));
        let expected = format!("00-{ids}-{flags:02x}");
        assert_eq!(inject(&context).0, Headers::new([("traceparent", expected.as_str())]).0, "{case}");

        // And by one that drops every span: the same trace, not sampled, but as random as before.
        let (child, headers) = inject_child(&context, Sampler::AlwaysOff);
        let flags = flags & 2;
        let expected = format!("00-{}-{}-{flags:02x}", child.trace_id(), child.span_id());
        assert_eq!(headers.get("traceparent"), Some(expected.as_str()), "{case}");
        assert_eq!(child.trace_id(), extracted.trace_id(), "{case}");
    }
}

#[test]
fn different_traceparents_are_no_context() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let values = vectors["traceparent_duplicate_headers"]["values"].as_array().unwrap();
    let fields = values.iter().map(|value| ("traceparent", value.as_str().unwrap()));
    assert_eq!(extract_span(&Headers::new(fields)), SpanContext::NONE, "{values:?}");

    for (others, expected) in [
        (&[VALID, VALID][..], TRACE_ID),
        (&["", VALID, "garbage"], TRACE_ID),
        // The same span, but whether it was sampled is contested.
        (&[VALID, &VALID.replace("-01", "-00")], "00000000000000000000000000000000"),
    ] {
        let fields = others.iter().map(|value| ("traceparent", *value));
        let context = extract_span(&Headers::new(fields));
        assert_eq!(context.trace_id().to_string(), expected, "{others:?}");
    }
}

#[test]
fn other_names_are_not_read() {
    for name in cases("traceparent_wrong_names") {
        let headers = Headers::new([(name.as_str().unwrap(), VALID)]);
        assert_eq!(extract_span(&headers), SpanContext::NONE, "{name}");
    }
}

#[test]
fn tracestate() {
    for case in cases("tracestate") {
        let values = case["v"].as_array().unwrap().iter();
        let values = values.map(|value| expand(value.as_str().unwrap())).collect::<Vec<_>>();
        let mut headers = Headers::new(values.iter().map(|value| ("tracestate", value.as_str())));
        let with_parent = case["without_traceparent"] != true;
        if with_parent {
            headers.0.push(("traceparent".into(), VALID.into()));
        }

        let context = extract(&headers);
        let span = context.span().span_context().clone();
        assert_eq!(span.is_valid(), with_parent, "tracestate never voids traceparent: {case}");
        if with_parent {
            assert_eq!(span.span_id().to_string(), SPAN_ID, "{case}");
        }
        for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
            let (child, headers) = inject_child(&context, sampler);
            assert_eq!(child.trace_id() == span.trace_id(), with_parent, "{case}");
            let sent = headers.get("tracestate");
            assert_eq!(sent, inject(&context).get("tracestate"), "{case}");
            match &case["expect"] {
                Value::Null => assert_eq!(sent, None, "{case}"),
                Value::String(expected) => {
                    assert_eq!(sent, Some(expand(expected).as_str()), "{case}")
                }
                expected => {
                    let any = expected["any"].as_array().unwrap();
                    let members = sent.unwrap().split(',').collect::<Vec<_>>();
                    let found = any.iter().any(|one| members.contains(&one.as_str().unwrap()));
                    assert!(found, "{case}: {members:?}");
                }
            }
        }
    }
}

#[test]
fn baggage() {
    for case in cases("baggage") {
        let text = expand(case["v"].as_str().unwrap());
        let context = extract(&Headers::new([("baggage", text.as_str())]));
        let expected = case["expect"].as_array().unwrap();
        assert_eq!(context.baggage().len(), expected.len(), "{case}");
        let reinjected = extract(&inject(&context));
        for member in expected {
            let part = |index: usize| expand(member[index].as_str().unwrap_or_default());
            for hop in [&context, &reinjected] {
                let (value, metadata) = hop.baggage().get_with_metadata(part(0)).unwrap();
                assert_eq!(value.as_str(), part(1), "{case}");
                assert_eq!(metadata.as_str(), part(2).trim_start_matches(';'), "{case}");
            }
        }
        if let Some(expected) = case["reinject"].as_str() {
            assert_eq!(inject(&context).get("baggage"), Some(expected), "{case}");
        }
    }
}
