//! The CloudEvents form: structured JSON 1.0 with the distributed tracing extension.

mod content_type;
mod reading;
mod unique_id;

use super::headers::sendable;
use super::json_text::to_exact_vec;
use crate::MessageHeaders;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
pub(super) use reading::read;
use serde_core::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

const ID: &str = "id";
const SOURCE: &str = "source";
const SPEC_VERSION: &str = "specversion";
const TYPE: &str = "type";
const CONTENT_TYPE: &str = "datacontenttype";
const DATA: &str = "data";
const DATA_BASE64: &str = "data_base64";
const TRACEPARENT: &str = "traceparent";
/// What Dapr wrote before it wrote `traceparent`; it still writes both.
const TRACEID: &str = "traceid";

const VERSION: &str = "1.0";

/// Attributes of the event that are no header of the message.
const OWN: [&str; 9] = [ID, SOURCE, SPEC_VERSION, TYPE, CONTENT_TYPE, "dataschema", "subject", "time", TRACEID];

/// What CloudEvents say besides headers and payload.
///
/// Each event has an `id` of its own, unique in the world: a number drawn at random for the process, and a counter.
///
/// `traceparent` and `tracestate` are the attributes of the [distributed tracing extension]. Other headers, for which there is no
/// extension, ride as attributes under their own name where that is possible (lower-case letters and digits): `baggage` and `b3`, which
/// readers that do not know them pass on or ignore. `x-b3-traceid` is not possible, and is left out.
///
/// The content type decides how the payload is written, as the CloudEvents' JSON format has it: a JSON type as a JSON value in `data`, a
/// `text/` type as a string in `data`, any other as Base64 in `data_base64`; so is a payload that is not what its type says.
///
/// ```
/// use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders};
///
/// let form = Form::CloudEvents(CloudEvents::new("/shop").event_type("com.example.order.created").content_type("application/json"));
/// let sent = form.encode(&MessageHeaders::new(), br#"{"id":42}"#);
/// let event: serde_json::Value = serde_json::from_slice(&sent)?;
/// assert_eq!(event["specversion"], "1.0");
/// assert_eq!(event["source"], "/shop");
/// assert_eq!(event["data"]["id"], 42);
///
/// let received = Envelope::decode(&sent, AcceptedForms::none().cloud_events(true));
/// assert_eq!(received.payload(), br#"{"id":42}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// [distributed tracing extension]: https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloudEvents {
    source: Cow<'static, str>,
    event_type: Cow<'static, str>,
    content_type: Cow<'static, str>,
}

impl CloudEvents {
    /// Events of a source, a URI or a path such as `/shop`. An empty one, which no event may have, is written as `/`.
    ///
    /// ```
    /// use traced_envelope::{CloudEvents, Form, MessageHeaders};
    ///
    /// let sent = Form::CloudEvents(CloudEvents::new("/shop")).encode(&MessageHeaders::new(), b"\x00\x01");
    /// let event: serde_json::Value = serde_json::from_slice(&sent)?;
    /// assert_eq!((&event["source"], &event["data_base64"]), (&"/shop".into(), &"AAE=".into()));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn new(source: impl Into<Cow<'static, str>>) -> Self {
        Self {
            source: or_default(source.into(), "/"),
            event_type: Cow::Borrowed("message"),
            content_type: Cow::Borrowed("application/octet-stream"),
        }
    }

    /// What happened, in the events' `type`: best a name under a domain of yours, as `com.example.order.created`. Default: `message`.
    ///
    /// ```
    /// use traced_envelope::{CloudEvents, Form, MessageHeaders};
    ///
    /// let form = Form::CloudEvents(CloudEvents::new("/shop").event_type("com.example.order.created"));
    /// let event: serde_json::Value = serde_json::from_slice(&form.encode(&MessageHeaders::new(), b"{}"))?;
    /// assert_eq!(event["type"], "com.example.order.created"); // what subscribers choose handlers by
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn event_type(mut self, event_type: impl Into<Cow<'static, str>>) -> Self {
        self.event_type = or_default(event_type.into(), "message");
        self
    }

    /// The payloads' media type, in `datacontenttype`. Default: `application/octet-stream`.
    ///
    /// ```
    /// use traced_envelope::{CloudEvents, Form, MessageHeaders};
    ///
    /// let form = Form::CloudEvents(CloudEvents::new("/shop").content_type("text/plain"));
    /// let event: serde_json::Value = serde_json::from_slice(&form.encode(&MessageHeaders::new(), b"hello"))?;
    /// assert_eq!(event["data"], "hello"); // readable, where the default would be Base64
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<Cow<'static, str>>) -> Self {
        self.content_type = or_default(content_type.into(), "application/octet-stream");
        self
    }

    pub(super) fn write(&self, headers: &MessageHeaders, payload: &[u8]) -> Vec<u8> {
        self.write_as(&unique_id::next(), headers, payload)
    }

    fn write_as(&self, id: &str, headers: &MessageHeaders, payload: &[u8]) -> Vec<u8> {
        let data = Data::new(payload, &self.content_type);
        // Infallible: texts into a vector. Without the envelope it still is the payload.
        to_exact_vec(&Written { event: self, id, headers, data }).unwrap_or_else(|_| payload.to_vec())
    }
}

fn or_default(given: Cow<'static, str>, default: &'static str) -> Cow<'static, str> {
    if given.is_empty() { Cow::Borrowed(default) } else { given }
}

/// The payload, as its content type has it written.
enum Data<'p> {
    Json(&'p RawValue),
    Text(&'p str),
    Binary(&'p [u8]),
}

impl<'p> Data<'p> {
    fn new(payload: &'p [u8], content_type: &str) -> Self {
        if content_type::is_json(content_type) {
            // Spaces around the value would be lost.
            match serde_json::from_slice::<&RawValue>(payload) {
                Ok(json) if json.get().len() == payload.len() => Self::Json(json),
                _ => Self::Binary(payload),
            }
        } else if content_type::is_text(content_type) {
            str::from_utf8(payload).map_or(Self::Binary(payload), Self::Text)
        } else {
            Self::Binary(payload)
        }
    }
}

struct Written<'a> {
    event: &'a CloudEvents,
    id: &'a str,
    headers: &'a MessageHeaders,
    data: Data<'a>,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry(SPEC_VERSION, VERSION)?;
        object.serialize_entry(ID, self.id)?;
        object.serialize_entry(SOURCE, &self.event.source)?;
        object.serialize_entry(TYPE, &self.event.event_type)?;
        object.serialize_entry(CONTENT_TYPE, &self.event.content_type)?;
        for (name, value) in sendable(self.headers).filter(|(name, _)| is_extension(name)) {
            object.serialize_entry(name, value)?;
        }
        match self.data {
            Data::Json(json) => object.serialize_entry(DATA, json)?,
            Data::Text(text) => object.serialize_entry(DATA, text)?,
            Data::Binary(bytes) => object.serialize_entry(DATA_BASE64, &Base64(bytes))?,
        }
        object.end()
    }
}

/// "CloudEvents attribute names MUST consist of lower-case letters or digits from the ASCII character set", and not "data".
fn is_extension(name: &str) -> bool {
    let is_legal = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    is_legal && name != DATA && !OWN.contains(&name)
}

struct Base64<'p>(&'p [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

#[cfg(test)]
mod tests;
