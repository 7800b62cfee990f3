//! What lies around a payload: envelopes as ours and as others write them. Written and read anew here, so that the adapter's own
//! reader is not believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The headers in a payload's envelope; without headers there is none, or an empty one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    shape: Shape,
    headers: Vec<(String, Vec<u8>)>,
}

/// The written forms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Shape {
    #[default]
    Binary,
    /// As Python's `json.dumps({"trace_context": carrier, "payload": message})` writes it.
    Json,
    JsonPayloadFirst,
    CloudEvent,
    CloudEventBase64,
}

/// A CloudEvent's own attributes.
const EVENTS_OWN: [&str; 7] = ["specversion", "id", "source", "type", "datacontenttype", "data", "data_base64"];

impl Around {
    /// The envelope that these bytes have.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let json = || serde_json::from_slice::<Map<String, Value>>(bytes).ok();
        let (shape, headers) = if let Some(frame) = bytes.strip_prefix(b"\xF5TRC\x01\x00") {
            (Shape::Binary, of_frame(frame))
        } else if let Some(Value::Object(context)) = json().and_then(|mut object| object.remove("trace_context")) {
            (Shape::Json, of_object(context))
        } else if let Some(mut event) = json().filter(|object| object.contains_key("specversion")) {
            event.retain(|name, _| !EVENTS_OWN.contains(&name.as_str()));
            (Shape::CloudEvent, of_object(event))
        } else {
            (Shape::default(), Vec::new())
        };
        Self { shape, headers }.normal()
    }

    /// The bytes with the payload in them.
    pub(super) fn around(&self, payload: &[u8]) -> Vec<u8> {
        if self.headers.is_empty() {
            return payload.to_vec();
        }
        let text = String::from_utf8_lossy(payload);
        let context = self.members();
        match self.shape {
            Shape::Binary => self.frame(payload),
            Shape::Json => format!(r#"{{"trace_context": {{{context}}}, "payload": {text}}}"#).into(),
            Shape::JsonPayloadFirst => format!(r#"{{"payload":{text},"trace_context":{{{context}}}}}"#).into(),
            Shape::CloudEvent => event(&context, &format!(r#""data":{text}"#)),
            Shape::CloudEventBase64 => event(&context, &format!(r#""data_base64":"{}""#, STANDARD.encode(payload))),
        }
    }

    fn frame(&self, payload: &[u8]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in &self.headers {
            block.push(u8::try_from(name.len()).expect("a short name"));
            block.extend(name.as_bytes());
            block.extend(u16::try_from(value.len()).expect("a value of at most 64 kB").to_be_bytes());
            block.extend(value);
        }
        let length = u16::try_from(block.len()).expect("at most 64 kB").to_be_bytes();
        [b"\xF5TRC\x01\x00", &length[..], &block, payload].concat()
    }

    /// As JSON, without the braces.
    fn members(&self) -> String {
        let member = |(name, value): &(String, Vec<u8>)| {
            format!("{}: {}", Value::from(name.as_str()), Value::from(String::from_utf8_lossy(value)))
        };
        self.headers.iter().map(member).collect::<Vec<_>>().join(", ")
    }

    /// An envelope without headers says nothing.
    fn normal(self) -> Self {
        if self.headers.is_empty() { Self::default() } else { self }
    }

    fn shaped(shape: Shape, headers: &[(&str, &str)]) -> Self {
        Self { shape, headers: Vec::new() }.with(headers)
    }

    pub(super) fn with(mut self, added: &[(&str, &str)]) -> Self {
        self.headers.extend(added.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())));
        self
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    pub(super) fn without(&self, names: &[&str]) -> Self {
        let kept = self.headers.iter().filter(|(key, _)| !names.contains(&key.as_str()));
        Self { shape: self.shape, headers: kept.cloned().collect() }.normal()
    }

    pub(super) fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, Self)> {
        let upper: Vec<_> = added.iter().map(|(name, value)| (name.to_uppercase(), format!(" {value}  "))).collect();
        let upper: Vec<_> = upper.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let again: Vec<_> = added.iter().copied().filter(|(name, _)| *name == "traceparent").collect();
        vec![
            ("a binary frame", Self::shaped(Shape::Binary, added)),
            ("a binary frame with upper-case names and spaces", Self::shaped(Shape::Binary, &upper)),
            ("a binary frame with one traceparent twice", Self::shaped(Shape::Binary, added).with(&again)),
            ("JSON, as Python writes it", Self::shaped(Shape::Json, added)),
            ("JSON, the payload first", Self::shaped(Shape::JsonPayloadFirst, added)),
            ("a CloudEvent", Self::shaped(Shape::CloudEvent, added)),
            ("a CloudEvent with its data in Base64", Self::shaped(Shape::CloudEventBase64, added)),
        ]
    }

    /// The cases' names are payloads: those in JSON are JSON.
    pub(super) fn malformed() -> Vec<(&'static str, Self)> {
        let oversized = VALID.repeat(1000);
        let not_utf8 = Self { shape: Shape::Binary, headers: vec![("traceparent".to_owned(), vec![0xff; 55])] };
        let of = |shape, value| Self::shaped(shape, &[("traceparent", value)]);
        vec![
            ("garbage", of(Shape::Binary, "garbage")),
            ("cut short", of(Shape::Binary, VALID.get(..54).unwrap_or_default())),
            ("all zeros", of(Shape::Binary, "00-00000000000000000000000000000000-0000000000000000-01")),
            ("version ff", of(Shape::Binary, "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
            ("oversized", of(Shape::Binary, &oversized)),
            ("not UTF-8", not_utf8),
            (r#""garbage in JSON""#, of(Shape::Json, "garbage")),
            (r#""garbage in a CloudEvent""#, of(Shape::CloudEvent, "garbage")),
        ]
    }

    pub(super) fn conflicting() -> Vec<(&'static str, Self)> {
        let other = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";
        let both = |first, second| Self::shaped(Shape::Binary, &[(first, VALID), (second, other)]);
        vec![
            ("two of one name", both("traceparent", "traceparent")),
            ("two of names in different cases", both("Traceparent", "traceparent")),
        ]
    }
}

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn event(attributes: &str, data: &str) -> Vec<u8> {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/shop","type":"order","datacontenttype":"application/json",{attributes},{data}}}"#)
        .into()
}

/// Of what follows the magic, version and flags; none where it is cut off.
fn of_frame(frame: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::new();
    let block = frame.split_first_chunk().and_then(|(n, rest)| rest.get(..usize::from(u16::from_be_bytes(*n))));
    let mut block = block.unwrap_or_default();
    while let Some((name, rest)) = block.split_first().and_then(|(n, rest)| rest.split_at_checked(usize::from(*n))) {
        let Some((length, rest)) = rest.split_first_chunk() else { break };
        let Some((value, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { break };
        headers.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
        block = rest;
    }
    headers
}

fn of_object(object: Map<String, Value>) -> Vec<(String, Vec<u8>)> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes();
    object.into_iter().map(|(name, value)| (name, text(value))).collect()
}
