//! A payload is copied once when it is sent, and not at all when it is received.

use allocation_counter::measure;
use opentelemetry::propagation::Extractor;
use serde_json::value::RawValue;
use std::hint::black_box;
use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders};

const SIZE: usize = 1 << 20;

fn headers() -> MessageHeaders {
    [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("tracestate", "a=1")]
        .into_iter()
        .collect()
}

#[test]
fn a_binary_frame_is_written_with_one_allocation_and_read_with_none() {
    let (headers, payload) = (headers(), vec![0xF5; SIZE]);
    let mut frame = Vec::new();
    let writing = measure(|| frame = Form::Binary.encode(&headers, &payload).into_owned());
    assert_eq!((writing.count_total, frame.capacity()), (1, frame.len()));

    let reading = measure(|| {
        let received = Envelope::decode(&frame, AcceptedForms::all());
        assert_eq!(received.payload().len(), SIZE);
        assert_eq!(received.get("tracestate"), Some("a=1"));
    });
    assert_eq!(reading.count_total, 0);
}

#[test]
fn bare_payloads_cost_nothing() {
    let (headers, payload) = (headers(), vec![b'['; SIZE]);
    let passing = measure(|| {
        let sent = Form::Bare.encode(&headers, &payload);
        assert!(Envelope::decode(&sent, AcceptedForms::all()).is_plain());
    });
    assert_eq!(passing.count_total, 0);
}

#[test]
fn a_json_payload_is_copied_once_and_read_in_place() {
    let text = format!("\"{}\"", "x".repeat(SIZE));
    let payload: &RawValue = serde_json::from_str(&text).unwrap();
    let mut sent = Vec::new();
    let writing = measure(|| sent = Envelope::encode_raw_json(&headers(), payload));
    let collecting = measure(|| drop(black_box(headers())));
    assert_eq!(writing.count_total - collecting.count_total, 1);
    assert_eq!(sent.capacity(), sent.len());
    // The list of headers; names and values are borrowed.
    let reading = measure(|| {
        let received = Envelope::decode(&sent, AcceptedForms::default());
        assert_eq!(received.payload().len(), text.len());
        assert_eq!(received.get("tracestate"), Some("a=1"));
    });
    assert_eq!(reading.count_total, 1);
    assert!(reading.bytes_total < 1024, "{}", reading.bytes_total);
}

/// An object of megabytes that is no envelope was parsed, and an error with its position made, only to be thrown away.
#[test]
fn json_that_is_no_envelope_is_told_by_its_first_name() {
    let payload = format!("{{\"id\":\"{}\"}}", "x".repeat(SIZE));
    let reading = measure(|| assert!(Envelope::decode(payload.as_bytes(), AcceptedForms::default()).is_plain()));
    assert_eq!(reading.count_total, 0);
}

#[test]
fn an_event_s_base64_is_written_into_its_place_and_decoded_once() {
    let (headers, payload) = (headers(), vec![7; SIZE]);
    let form = Form::CloudEvents(CloudEvents::new("/shop"));
    drop(form.encode(&headers, b"")); // the process' part of the ids
    let mut sent = Vec::new();
    let writing = measure(|| sent = form.encode(&headers, &payload).into_owned());
    // Of the payload's size, and a small one for the id.
    assert!(writing.bytes_total < sent.len() as u64 + 256, "{}", writing.bytes_total);
    assert_eq!(sent.capacity(), sent.len());
    let reading = measure(|| {
        let received = Envelope::decode(&sent, AcceptedForms::all());
        assert_eq!((received.payload().len(), received.payload_range()), (SIZE, None));
    });
    assert!(reading.bytes_total < SIZE as u64 + 4096, "{}", reading.bytes_total);
}
