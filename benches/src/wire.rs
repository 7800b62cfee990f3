//! Payloads that hold their context themselves: JSON texts of several sizes, from bytes to bytes, in each form.

use crate::scene::Scene;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;
use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders};

/// The cases that the others are compared with: a copy of the payload, and what people write by hand.
pub(crate) const MEMCPY: &str = "memcpy";
pub(crate) const VALUE: &str = "serde_json::Value";

const SIZES: [(usize, &str); 5] =
    [(64, "64 B"), (1 << 10, "1 KiB"), (16 << 10, "16 KiB"), (128 << 10, "128 KiB"), (1 << 20, "1 MiB")];
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(crate) fn scenes() -> Vec<Box<dyn Fn() -> Scene>> {
    let encoding = SIZES.map(|(size, name)| Box::new(move || encode(size, name)) as Box<dyn Fn() -> Scene>);
    let decoding = SIZES.map(|(size, name)| Box::new(move || decode(size, name)) as Box<dyn Fn() -> Scene>);
    encoding.into_iter().chain(decoding).collect()
}

fn headers() -> MessageHeaders {
    [("traceparent", TRACEPARENT)].into_iter().collect()
}

fn event(content_type: &'static str) -> Form {
    Form::CloudEvents(CloudEvents::new("/shop").content_type(content_type))
}

/// Orders, as many as fill the size.
fn payload(size: usize) -> Rc<str> {
    let mut text = String::from("[");
    for number in 0.. {
        let order = format!("{{\"id\":{number},\"item\":\"blue teapot\",\"price\":19.5}},");
        if text.len() + order.len() + 8 > size {
            break;
        }
        text.push_str(&order);
    }
    let _ = write!(text, "\"{}\"]", "x".repeat(size - text.len() - 3));
    text.into()
}

fn by_hand(payload: &str) -> Vec<u8> {
    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
    serde_json::to_vec(&json!({ "traceparent": TRACEPARENT, "payload": payload })).unwrap_or_default()
}

fn encode(size: usize, name: &str) -> Scene {
    let payload = payload(size);
    let case = |form: Form| {
        let (payload, headers) = (Rc::clone(&payload), headers());
        move || drop(black_box(form.encode(&headers, payload.as_bytes()).into_owned()))
    };
    let (copied, json, hand, headers) = (Rc::clone(&payload), Rc::clone(&payload), Rc::clone(&payload), headers());
    Scene::new(format!("Encode, {name}"), None, || ())
        .case(MEMCPY, move || drop(black_box(copied.as_bytes().to_vec())))
        .case("binary", case(Form::Binary))
        .case("JSON", move || {
            let raw: Result<&RawValue, _> = serde_json::from_str(&json);
            drop(black_box(raw.map(|raw| Envelope::encode_raw_json(&headers, raw))));
        })
        .case("CloudEvents, JSON inside", case(event("application/json")))
        .case("CloudEvents, base64", case(event("application/octet-stream")))
        .case(VALUE, move || drop(black_box(by_hand(&hand))))
}

fn decode(size: usize, name: &str) -> Scene {
    let payload = payload(size);
    let decoding = |sent: Vec<u8>| {
        move || {
            let envelope = Envelope::decode(&sent, AcceptedForms::all());
            black_box(envelope.payload());
        }
    };
    let encoded = |form: Form| form.encode(&headers(), payload.as_bytes()).into_owned();
    let raw: Option<&RawValue> = serde_json::from_str(&payload).ok();
    let json = raw.map(|raw| Envelope::encode_raw_json(&headers(), raw)).unwrap_or_default();
    let (copied, wrapped) = (Rc::clone(&payload), by_hand(&payload));
    Scene::new(format!("Decode, {name}"), None, || ())
        .case(MEMCPY, move || drop(black_box(copied.as_bytes().to_vec())))
        .case("binary", decoding(encoded(Form::Binary)))
        .case("JSON", decoding(json))
        .case("CloudEvents, JSON inside", decoding(encoded(event("application/json"))))
        .case("CloudEvents, base64", decoding(encoded(event("application/octet-stream"))))
        .case(VALUE, move || {
            let mut value: Value = serde_json::from_slice(&wrapped).unwrap_or_default();
            let payload = value.get_mut("payload").map(Value::take).unwrap_or_default();
            drop(black_box(serde_json::to_vec(&payload)));
        })
}
