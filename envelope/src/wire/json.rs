//! The JSON form: `{"trace_context":{"traceparent":".."},"payload":..}`.

use super::headers::Headers;
use super::json_text::{self, LONGEST, Object, Strings, Text, first_member};
use crate::MessageHeaders;
use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use std::fmt;

const CONTEXT: &str = "trace_context";
const PAYLOAD: &str = "payload";

/// The longest that a member's name gets when every character of it is written as `\uXXXX`.
const LONGEST_NAME: usize = 6 * CONTEXT.len();

struct Written<'a, P: ?Sized> {
    headers: &'a MessageHeaders,
    payload: &'a P,
}

impl<P: Serialize + ?Sized> Serialize for Written<'_, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("", 2)?;
        object.serialize_field(CONTEXT, &Object(self.headers))?;
        object.serialize_field(PAYLOAD, self.payload)?;
        object.end()
    }
}

/// Serialises the payload into its place. Its length is not known before: the vector grows with it.
pub(super) fn write<P: Serialize + ?Sized>(headers: &MessageHeaders, payload: &P) -> serde_json::Result<Vec<u8>> {
    let around = json_text::len(&Written { headers, payload: &() })?;
    // Room for a small payload without a second allocation.
    let mut text = Vec::with_capacity(around + 256);
    serde_json::to_writer(&mut text, &Written { headers, payload })?;
    Ok(text)
}

pub(super) fn write_raw(headers: &MessageHeaders, payload: &RawValue) -> Vec<u8> {
    // Infallible: text into a vector. Without the envelope it still is the payload.
    json_text::to_exact_vec(&Written { headers, payload }).unwrap_or_else(|_| payload.get().as_bytes().to_vec())
}

/// Headers and payload, unless this is not exactly the form: then all of it is the payload.
pub(super) fn read(bytes: &[u8]) -> Option<(Headers<'_>, &[u8])> {
    if !begins_as_envelope(bytes) {
        return None;
    }
    let Members { context, payload } = serde_json::from_slice(bytes).ok()?;
    if context.get().len() > LONGEST {
        return None;
    }
    let Strings(fields) = serde_json::from_str(context.get()).ok()?;
    Some((Headers { fields, ..Headers::default() }, payload.get().as_bytes()))
}

/// Looks at the first member's name only, so that a payload of megabytes that is no envelope is not parsed.
fn begins_as_envelope(bytes: &[u8]) -> bool {
    let Some(name) = first_member(bytes) else {
        return false;
    };
    let is = |known: &str| name.strip_prefix(known.as_bytes()).is_some_and(|rest| rest.starts_with(b"\""));
    // A name with escapes is read by the parser.
    let mut beginning = name.iter().take(LONGEST_NAME).take_while(|byte| **byte != b'"');
    is(CONTEXT) || is(PAYLOAD) || beginning.any(|byte| *byte == b'\\')
}

/// The two members as text. Skipping over a value takes no recursion in `serde_json`, so nesting of any depth does no harm.
struct Members<'a> {
    context: &'a RawValue,
    payload: &'a RawValue,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an envelope")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let (mut context, mut payload) = (None, None);
                while let Some(Text(name)) = members.next_key()? {
                    let member = match &*name {
                        CONTEXT => &mut context,
                        PAYLOAD => &mut payload,
                        _ => return Err(A::Error::custom("a member that no envelope has")),
                    };
                    // Languages disagree about which of two counts.
                    if member.is_some() {
                        return Err(A::Error::custom("a member twice"));
                    }
                    *member = Some(members.next_value()?);
                }
                match (context, payload) {
                    (Some(context), Some(payload)) => Ok(Members { context, payload }),
                    _ => Err(A::Error::custom("a member is missing")),
                }
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers() -> MessageHeaders {
        [("traceparent", TRACEPARENT), ("tracestate", "a=\"1\"")].into_iter().collect()
    }

    fn opened(bytes: &[u8]) -> Option<(Vec<(String, String)>, &str)> {
        let (headers, payload) = read(bytes)?;
        let owned = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some((owned, str::from_utf8(payload).unwrap()))
    }

    fn parent() -> Vec<(String, String)> {
        vec![("traceparent".to_owned(), TRACEPARENT.to_owned())]
    }

    #[test]
    fn the_form_is_written_to_the_byte() {
        let golden = br#"{"trace_context":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":"a=\"1\""},"payload":{ "id" : 4.20 }}"#;
        let raw: &RawValue = serde_json::from_str(r#"{ "id" : 4.20 }"#).unwrap();
        let written = write_raw(&headers(), raw);
        assert_eq!((written.as_slice(), written.capacity()), (golden.as_slice(), golden.len()));
        assert_eq!(write(&headers(), raw).unwrap(), golden);
        assert_eq!(write(&MessageHeaders::new(), &[1, 2]).unwrap(), br#"{"trace_context":{},"payload":[1,2]}"#);
    }

    #[test]
    fn what_python_writes_is_read() {
        // python3 -c 'import json; print(json.dumps({"trace_context": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "payload": {"name": "J\u00fcrgen", "id": 42}}))'
        let python = br#"{"trace_context": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "payload": {"name": "J\u00fcrgen", "id": 42}}"#;
        assert_eq!(opened(python), Some((parent(), r#"{"name": "J\u00fcrgen", "id": 42}"#)));
        let indented = b"{\n  \"payload\": null,\r\n\t\"trace_context\": {}\n}\n";
        assert_eq!(opened(indented), Some((vec![], "null")));
    }

    #[test]
    fn escapes_are_decoded_in_names_and_headers_and_left_in_the_payload() {
        let escaped = br#"{"\u0074race_context":{"trace\u0070arent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\u00301"},"p\u0061yload":"\ud800\n"}"#;
        assert_eq!(opened(escaped), Some((parent(), r#""\ud800\n""#)));
    }

    #[test]
    fn what_is_not_exactly_an_envelope_is_a_payload() {
        for bytes in [
            "",
            "{}",
            "[]",
            "null",
            r#""trace_context""#,
            r#"{"trace_context":{}}"#,
            r#"{"payload":1}"#,
            r#"{"trace_context":{},"payload":1,"id":7}"#,
            r#"{"id":7,"trace_context":{},"payload":1}"#,
            r#"{"trace_context":{},"trace_context":{},"payload":1}"#,
            r#"{"trace_context":{},"payload":1,"payload":1}"#,
            r#"{"trace_context":{"a":"1","a":"1"},"payload":1}"#,
            r#"{"trace_context":{"a":1},"payload":1}"#,
            r#"{"trace_context":{"a":null},"payload":1}"#,
            r#"{"trace_context":{"a":{}},"payload":1}"#,
            r#"{"trace_context":null,"payload":1}"#,
            r#"{"trace_context":[],"payload":1}"#,
            r#"{"trace_context":"","payload":1}"#,
            r#"{"Trace_Context":{},"payload":1}"#,
            r#"{"trace_context":{},"payload":1} {}"#,
            r#"{"trace_context":{},"payload":1,}"#,
            r#"{"trace_context":{},"payload":NaN}"#,
            r#"{"trace_context":{},"payload":}"#,
            r#"{"trace_context":{},"payload":1"#,
            "{'trace_context':{},'payload':1}",
            "\u{feff}{\"trace_context\":{},\"payload\":1}",
        ] {
            assert_eq!(opened(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!(opened(b"{\"trace_context\":{},\"payload\":\"\xff\"}"), None);
    }

    #[test]
    fn sizes_are_bounded_and_nesting_does_no_harm() {
        let many = (0..65).map(|number| format!("\"x-{number}\":\"1\"")).collect::<Vec<_>>().join(",");
        assert_eq!(opened(format!(r#"{{"trace_context":{{{many}}},"payload":1}}"#).as_bytes()), None);
        let long = " ".repeat(LONGEST);
        assert_eq!(opened(format!(r#"{{"trace_context":{{{long}}},"payload":1}}"#).as_bytes()), None);
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        let deep = format!(r#"{{"trace_context":{{}},"payload":{open}{close}}}"#);
        assert_eq!(opened(deep.as_bytes()).map(|(_, payload)| payload.len()), Some(2_000_000));
        let deep = format!(r#"{{"trace_context":{{"a":{open}{close}}},"payload":1}}"#);
        assert_eq!(opened(deep.as_bytes()), None);
    }

    #[test]
    fn the_first_name_decides_whether_the_rest_is_looked_at() {
        assert!(begins_as_envelope(b" {\n\"payload\" :"));
        assert!(begins_as_envelope(br#"{"trace\u005fcontext":"#));
        assert!(!begins_as_envelope(br#"{"payloads":"#));
        assert!(!begins_as_envelope(br#"{"id":"\\"#));
    }
}
