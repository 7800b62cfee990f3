//! The one reader of all forms.

use super::headers::Headers;
use super::{AcceptedForms, binary, cloud_events, json};
use crate::MessageHeaders;
use opentelemetry::propagation::Extractor;
use serde_core::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

/// A message as it came over a transport without headers: the headers out of its envelope, and the payload.
///
/// It is an [`Extractor`], so it is given to [`Telemetry::process`](crate::Telemetry::process) as it is. Names are compared without
/// regard to case.
///
/// ```
/// use opentelemetry::propagation::Extractor;
/// use traced_envelope::{AcceptedForms, Envelope};
///
/// let python = br#"{"trace_context": {"tracestate": "a=1"}, "payload": {"id": 42}}"#;
/// let received = Envelope::decode(python, AcceptedForms::default());
/// assert_eq!(received.get("tracestate"), Some("a=1"));
/// assert_eq!(received.payload(), br#"{"id": 42}"#);
///
/// // What only looks like an envelope is the application's own object.
/// let own = br#"{"trace_context": {}, "payload": 1, "id": 7}"#;
/// assert_eq!(Envelope::decode(own, AcceptedForms::default()).payload(), own);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Envelope<'a> {
    headers: Headers<'a>,
    payload: Cow<'a, [u8]>,
    range: Option<Range<usize>>,
    plain: bool,
}

impl<'a> Envelope<'a> {
    /// Opens the envelope, or hands over the bytes as they are if they are no envelope of an accepted form.
    ///
    /// It cannot fail: half a frame, a JSON object with a third member, bytes at random are plain payloads without a context, whole. The
    /// payload is not copied, but for CloudEvents with `data_base64`, or with text that has escapes.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope, Form, MessageHeaders};
    ///
    /// let frame = Form::Binary.encode(&MessageHeaders::new(), b"hello");
    /// assert_eq!(Envelope::decode(&frame, AcceptedForms::default()).payload(), b"hello");
    /// let half = &frame[..6];
    /// assert_eq!(Envelope::decode(half, AcceptedForms::default()).payload(), half);
    /// ```
    #[must_use]
    pub fn decode(bytes: &'a [u8], accepted: AcceptedForms) -> Self {
        let in_place = |(headers, payload): (Headers<'a>, &'a [u8])| (headers, Cow::Borrowed(payload));
        let opened = (accepted.binary.then(|| binary::read(bytes)).flatten().map(in_place))
            .or_else(|| accepted.json.then(|| json::read(bytes)).flatten().map(in_place))
            .or_else(|| accepted.cloud_events.then(|| cloud_events::read(bytes)).flatten());
        let plain = opened.is_none();
        let (headers, payload) = opened.unwrap_or_else(|| (Headers::default(), Cow::Borrowed(bytes)));
        let range = match payload {
            Cow::Borrowed(payload) => range_in(bytes, payload),
            Cow::Owned(_) => None,
        };
        Self { headers, payload, range, plain }
    }

    /// The payload: bytes, or the raw text of a JSON value, spaces and number formats as they were.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope};
    ///
    /// let received = br#"{"trace_context":{},"payload":{ "total": 4.20 }}"#;
    /// let received = Envelope::decode(received, AcceptedForms::default());
    /// assert_eq!(received.payload(), br#"{ "total": 4.20 }"#); // what a signature was made over
    /// ```
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload without the headers; borrowed wherever [`decode`](Self::decode) made no copy.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use traced_envelope::{AcceptedForms, Envelope};
    ///
    /// let bytes = b"hello".to_vec();
    /// assert!(matches!(Envelope::decode(&bytes, AcceptedForms::all()).into_payload(), Cow::Borrowed(b"hello")));
    /// ```
    #[must_use]
    pub fn into_payload(self) -> Cow<'a, [u8]> {
        self.payload
    }

    /// Where the payload lies in the bytes, for whoever keeps the message and its envelope's range side by side. None if it was
    /// decoded into a buffer of its own.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope, Form, MessageHeaders};
    ///
    /// let frame = Form::Binary.encode(&MessageHeaders::new(), b"hello");
    /// assert_eq!(Envelope::decode(&frame, AcceptedForms::all()).payload_range(), Some(8..13));
    /// ```
    #[must_use]
    pub fn payload_range(&self) -> Option<Range<usize>> {
        self.range.clone()
    }

    /// Whether there was no envelope of an accepted form.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope};
    ///
    /// assert!(Envelope::decode(b"hello", AcceptedForms::all()).is_plain());
    /// ```
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The headers in their order.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope, MessageHeaders};
    ///
    /// let received = br#"{"trace_context":{"tracestate":"a=1"},"payload":{}}"#;
    /// let received = Envelope::decode(received, AcceptedForms::default());
    /// let headers: MessageHeaders = received.iter().collect(); // to be kept when the bytes are gone
    /// assert_eq!(headers, [("tracestate", "a=1")].into_iter().collect());
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter()
    }

    /// Serialises a value into the JSON form, `{"trace_context":{..},"payload":..}`, which any JSON parser reads. Like
    /// [`Form::encode`](super::Form::encode) it comes behind [`Telemetry::send`](crate::Telemetry::send), and leaves out the same
    /// headers.
    ///
    /// # Errors
    ///
    /// What `serde_json` says of a value that has no JSON, such as a map with keys that are no strings.
    ///
    /// ```
    /// use traced_envelope::{Envelope, MessageHeaders};
    ///
    /// let headers: MessageHeaders = [("tracestate", "a=1")].into_iter().collect();
    /// let sent = Envelope::encode_json(&headers, &["order", "created"])?;
    /// assert_eq!(sent, br#"{"trace_context":{"tracestate":"a=1"},"payload":["order","created"]}"#);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn encode_json<T: Serialize + ?Sized>(headers: &MessageHeaders, payload: &T) -> serde_json::Result<Vec<u8>> {
        json::write(headers, payload)
    }

    /// The same for a payload that is JSON text already: it is copied once, unchanged.
    ///
    /// ```
    /// use serde_json::value::RawValue;
    /// use traced_envelope::{Envelope, MessageHeaders};
    ///
    /// let payload: &RawValue = serde_json::from_str(r#"{ "total": 4.20 }"#)?;
    /// let sent = Envelope::encode_raw_json(&MessageHeaders::new(), payload);
    /// assert_eq!(sent, br#"{"trace_context":{},"payload":{ "total": 4.20 }}"#);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn encode_raw_json(headers: &MessageHeaders, payload: &RawValue) -> Vec<u8> {
        json::write_raw(headers, payload)
    }
}

impl Extractor for Envelope<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(present, _)| present.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.names().collect()
    }

    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let named = self.iter().filter(|(present, _)| present.eq_ignore_ascii_case(name));
        let values = named.map(|(_, value)| value).collect::<Vec<_>>();
        (!values.is_empty()).then_some(values)
    }
}

/// Where a part lies, by its address: parsers hand out slices, not positions.
fn range_in(bytes: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    let range = start..start.checked_add(part.len())?;
    bytes.get(range.clone()).map(|_| range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CloudEvents, Form};

    #[test]
    fn only_accepted_forms_are_opened() {
        let headers: MessageHeaders = [("tracestate", "a=1")].into_iter().collect();
        let binary = Form::Binary.encode(&headers, b"1").into_owned();
        let json = Envelope::encode_json(&headers, &1).unwrap();
        let event = Form::CloudEvents(CloudEvents::new("/shop")).encode(&headers, b"1").into_owned();
        let none = AcceptedForms::none();
        for (accepted, opened) in [
            (none, [false; 3]),
            (none.binary(true), [true, false, false]),
            (none.json(true), [false, true, false]),
            (none.cloud_events(true), [false, false, true]),
            (AcceptedForms::default(), [true, true, false]),
            (AcceptedForms::all(), [true; 3]),
            (AcceptedForms::all().json(false), [true, false, true]),
        ] {
            for (bytes, opened) in [&binary, &json, &event].into_iter().zip(opened) {
                let envelope = Envelope::decode(bytes, accepted);
                assert_eq!(envelope.is_plain(), !opened, "{accepted:?}");
                assert_eq!(envelope.payload(), if opened { b"1" } else { bytes.as_slice() });
                assert_eq!(envelope.get("TraceState"), opened.then_some("a=1"));
            }
        }
    }

    /// `[name length] name [value length] value`: a name twice, one in capitals, an empty value, bytes that are no UTF-8, and then more
    /// entries than are looked at.
    #[test]
    fn headers_that_are_no_text_are_passed_over_and_repeated_ones_are_all_there() {
        let mut block = b"\x01a\0\x011\x01A\0\x012\x01b\0\0\x01\xff\0\x013\x01c\0\x01\xff".to_vec();
        (0..100).for_each(|_| block.extend_from_slice(b"\x01x\0\x019"));
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        let frame = [b"\xF5TRC\x01\0".as_slice(), &length, &block, b"payload"].concat();
        let envelope = Envelope::decode(&frame, AcceptedForms::default());
        assert_eq!(envelope.payload(), b"payload");
        assert_eq!((envelope.get("A"), envelope.get_all("a")), (Some("1"), Some(vec!["1", "2"])));
        assert_eq!(
            ["b", "c", "d"].map(|name| envelope.get(name).or(envelope.get_all(name).map(|_| "some"))),
            [None; 3]
        );
        // The name is there, so that an unreadable context is not taken for none.
        assert!(envelope.keys().contains(&"c") && envelope.iter().all(|(name, _)| name != "c"));
        assert_eq!(envelope.keys().len(), 2 + 64 - 4);
    }
}
