//! Whatever comes over a transport without headers is an envelope or a payload, whole; what was put together comes apart the same.

#![allow(
    clippy::expect_used,
    reason = "clippy.toml's exceptions for tests do not reach the functions that tests share"
)]

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, baggage::BaggageExt};
use opentelemetry_propagator_b3::{B3Encoding, Propagator as B3};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::borrow::Cow;
use traced_envelope::propagation::W3cPropagator;
use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders};

/// What an envelope may hold: each name once, no name and no value empty.
fn headers(name: &'static str) -> impl Strategy<Value = MessageHeaders> {
    vec((name, "\\PC{1,40}|[\\x00-\\x7f]{1,20}"), 0..8).prop_map(|fields| {
        let mut headers = MessageHeaders::new();
        fields.into_iter().for_each(|(name, value)| headers.set(&name, value));
        headers
    })
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<f64>().prop_map(|number| serde_json::to_string(&number).expect("a number")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a string")),
        Just(r#"{"trace_context":{},"payload":1}"#.to_owned()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            (any::<String>(), inner).prop_map(|(name, value)| {
                format!("{{{}:\n{value}}}", serde_json::to_string(&name).expect("a string"))
            }),
        ]
    })
}

/// Bytes that get far into the parsers: pieces of envelopes in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        b"\xF5TRC\x01\0".as_slice(),
        b"\xF5TRC\x02\0\0\x03",
        b"\0\x07",
        b"\x01a\0\x01b",
        b"{\"trace_context\":{",
        b"\"traceparent\":\"00\"",
        b"},",
        b"\"payload\":",
        b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\",",
        b"\"data\":",
        b"\"data_base64\":\"AA==\"",
        b"\"datacontenttype\":\"text/plain\",",
        b"null",
        b"\"\\u00e9\"",
        b",",
        b"}",
        b" ",
    ]);
    vec(prop_oneof![4 => piece.prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..4)], 0..10)
        .prop_map(|pieces| pieces.concat())
}

/// What holds of every decoded message: plain and whole, or part of the input, or decoded from a CloudEvent.
fn check(bytes: &[u8], accepted: AcceptedForms) {
    let envelope = Envelope::decode(bytes, accepted);
    if envelope.is_plain() {
        assert_eq!((envelope.payload(), envelope.iter().count()), (bytes, 0));
    }
    match (envelope.payload_range(), envelope.clone().into_payload()) {
        (Some(range), Cow::Borrowed(payload)) => assert_eq!(bytes.get(range), Some(payload)),
        (None, Cow::Owned(_)) => assert_eq!(bytes.trim_ascii_start().first(), Some(&b'{')),
        other => panic!("{other:?}"),
    }
    // Among the names are those whose value nobody can read, too.
    let names = envelope.keys();
    for (name, _) in envelope.iter() {
        assert!(envelope.get(name).is_some() && envelope.get_all(name).is_some() && names.contains(&name));
    }
    assert!(Envelope::decode(bytes, AcceptedForms::none()).is_plain());
}

/// Found by the fuzz target `wire`: a header whose value is no text has a name all the same, by which it is told that a context was there.
#[test]
fn a_header_that_nobody_can_read_is_a_name_without_a_value() {
    let frame = b"\xf5TRC\x01\0\0\x05\x01c\0\x01\xff";
    check(frame, AcceptedForms::all());
    let envelope = Envelope::decode(frame, AcceptedForms::all());
    assert_eq!((envelope.keys(), envelope.get("c"), envelope.iter().count()), (vec!["c"], None, 0));
}

fn round_trip(form: &Form, headers: &MessageHeaders, payload: &[u8]) {
    let sent = form.encode(headers, payload);
    let received = Envelope::decode(&sent, AcceptedForms::all());
    assert!(!received.is_plain());
    assert_eq!(received.payload(), payload);
    assert!(received.iter().eq(headers.iter()), "{received:?}");
}

proptest! {
    #[test]
    fn random_bytes_are_a_payload_or_an_envelope(bytes in vec(any::<u8>(), 0..200), accepted in any::<[bool; 3]>()) {
        let [binary, json, cloud_events] = accepted;
        check(&bytes, AcceptedForms::none().binary(binary).json(json).cloud_events(cloud_events));
    }

    #[test]
    fn pieces_of_envelopes_are_a_payload_or_an_envelope(bytes in pieces()) {
        check(&bytes, AcceptedForms::all());
    }

    #[test]
    fn a_frame_comes_apart_as_it_was_put_together(headers in headers("\\PC{1,60}"), payload in vec(any::<u8>(), 0..200)) {
        round_trip(&Form::Binary, &headers, &payload);
    }

    #[test]
    fn a_frame_that_is_cut_off_anywhere_before_its_payload_is_a_payload(headers in headers("[a-z]{1,9}"), cut in any::<prop::sample::Index>()) {
        let frame = Form::Binary.encode(&headers, b"");
        let part = &frame[..cut.index(frame.len())];
        prop_assert_eq!(&*Envelope::decode(part, AcceptedForms::all()).into_payload(), part);
    }

    #[test]
    fn an_event_comes_apart_as_it_was_put_together(
        headers in headers("x[a-z0-9]{1,20}|traceparent|tracestate|baggage|b3"),
        payload in vec(any::<u8>(), 0..200),
        text in any::<String>(),
        json in json(),
    ) {
        let event = CloudEvents::new("/shop");
        for kind in ["application/octet-stream", "text/plain", "application/json"] {
            let form = Form::CloudEvents(event.clone().content_type(kind));
            for payload in [payload.as_slice(), text.as_bytes(), json.as_bytes()] {
                round_trip(&form, &headers, payload);
            }
        }
    }

    #[test]
    fn json_comes_apart_as_it_was_put_together(headers in headers("\\PC{1,60}"), json in json()) {
        let raw: &RawValue = serde_json::from_str(&json).expect("JSON");
        let sent = Envelope::encode_raw_json(&headers, raw);
        prop_assert_eq!(&Envelope::encode_json(&headers, raw).expect("JSON"), &sent);
        let received = Envelope::decode(&sent, AcceptedForms::default());
        prop_assert_eq!(received.payload(), raw.get().as_bytes());
        prop_assert!(received.iter().eq(headers.iter()));
        let value: serde_json::Value = serde_json::from_slice(&sent).expect("what any parser reads");
        prop_assert_eq!(value.as_object().map(serde_json::Map::len), Some(2));
    }

    #[test]
    fn a_bare_payload_is_sent_and_received_as_it_is(headers in headers("[a-z]{1,9}"), payload in vec(any::<u8>(), 0..200)) {
        let sent = Form::Bare.encode(&headers, &payload);
        prop_assert!(matches!(sent, Cow::Borrowed(_)));
        prop_assert_eq!(&*Envelope::decode(&sent, AcceptedForms::none()).into_payload(), payload.as_slice());
    }
}

/// B3's single header has a legal name everywhere; its several headers have none in a CloudEvent, which then carries no context.
#[test]
fn any_propagator_s_context_passes_through_every_form() {
    let span = SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::SAMPLED, true, TraceState::NONE);
    let context = Context::new().with_remote_span_context(span.clone());
    let context = context.with_baggage([opentelemetry::KeyValue::new("tenant", "a b+c=1 ü%")]);
    let w3c: Box<dyn TextMapPropagator> = Box::new(W3cPropagator::new());
    let single = B3::with_encoding(B3Encoding::SingleHeader);
    let several = B3::with_encoding(B3Encoding::MultipleHeader);
    let event = Form::CloudEvents(CloudEvents::new("/shop"));
    for (propagator, form, passes) in [
        (&*w3c, &Form::Binary, true),
        (&*w3c, &event, true),
        (&single, &Form::Binary, true),
        (&single, &event, true),
        (&several, &Form::Binary, true),
        (&several, &event, false),
    ] {
        let mut headers = MessageHeaders::new();
        propagator.inject_context(&context, &mut headers);
        let raw: &RawValue = serde_json::from_str("1").expect("JSON");
        for (sent, passes) in
            [(form.encode(&headers, b"1"), passes), (Cow::Owned(Envelope::encode_raw_json(&headers, raw)), true)]
        {
            let received = Envelope::decode(&sent, AcceptedForms::all());
            assert_eq!(received.payload(), b"1");
            let extracted = propagator.extract_with_context(&Context::new(), &received);
            assert_eq!(extracted.span().span_context() == &span, passes, "{form:?} {headers:?}");
            if headers.get("baggage").is_some() {
                assert_eq!(extracted.baggage().get("tenant").map(|value| value.as_str()), Some("a b+c=1 ü%"));
            }
        }
    }
}
