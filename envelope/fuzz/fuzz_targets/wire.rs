//! Whatever bytes come over a transport without headers are an envelope or a payload, whole; and what is put together from them comes
//! apart the same.
//!
//! From `envelope/`: `cargo +nightly fuzz run wire`

#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry::propagation::Extractor;
use std::borrow::Cow;
use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders};

const TYPES: [&str; 3] = [
    "application/octet-stream",
    "text/plain",
    "application/json",
];

fuzz_target!(|data: &[u8]| {
    let envelope = Envelope::decode(data, AcceptedForms::all());
    if envelope.is_plain() {
        assert_eq!(envelope.payload(), data);
        assert_eq!(envelope.iter().count(), 0);
    }
    match envelope.payload_range() {
        Some(range) => assert_eq!(&data[range], envelope.payload()),
        None => assert!(matches!(envelope.clone().into_payload(), Cow::Owned(_))),
    }
    // Among the names are those whose value nobody can read, too.
    let names = envelope.keys();
    for (name, _) in envelope.iter() {
        assert!(envelope.get(name).is_some() && names.contains(&name));
    }

    // What was read out of one form passes through the others.
    let headers: MessageHeaders = envelope.iter().collect();
    let frame = Form::Binary.encode(&headers, data);
    let again = Envelope::decode(&frame, AcceptedForms::all());
    assert!(!again.is_plain() && again.payload() == data);
    for (name, value) in again.iter() {
        assert!(headers.iter().any(|header| header == (name, value)));
    }
    for kind in TYPES {
        let form = Form::CloudEvents(CloudEvents::new("/fuzz").content_type(kind));
        let event = form.encode(&headers, data);
        let again = Envelope::decode(&event, AcceptedForms::all());
        assert!(!again.is_plain() && again.payload() == data);
    }
    if let Ok(raw) = serde_json::from_slice(data) {
        let raw: &serde_json::value::RawValue = raw;
        let sent = Envelope::encode_raw_json(&headers, raw);
        let again = Envelope::decode(&sent, AcceptedForms::all());
        assert!(!again.is_plain() && again.payload() == raw.get().as_bytes());
    }
});
