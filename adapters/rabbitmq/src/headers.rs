//! AMQP's header table as a carrier.

use lapin::types::{AMQPValue, FieldTable, ShortString};
use opentelemetry::propagation::{Extractor, Injector};
use std::collections::BTreeMap;

/// Writes headers into an AMQP table: as long strings, the one type that the instrumentations of all languages read.
///
/// Setting a header replaces every one of that name, whatever its case; an empty value removes it. All other headers stay as they
/// are. A name longer than AMQP's 255 bytes is left out.
///
/// ```
/// use lapin::types::FieldTable;
/// use opentelemetry::propagation::Injector;
/// use traced_rabbitmq::HeaderInjector;
///
/// let mut headers = FieldTable::default();
/// HeaderInjector(&mut headers).set("tracestate", "vendor=1".to_owned());
/// assert!(headers.contains_key("tracestate"));
/// HeaderInjector(&mut headers).set("tracestate", String::new());
/// assert!(!headers.contains_key("tracestate"));
/// ```
#[derive(Debug)]
pub struct HeaderInjector<'a>(pub &'a mut FieldTable);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, name: &str, value: String) {
        let remove = |key: &ShortString| {
            let key = key.as_str();
            key.eq_ignore_ascii_case(name) && (value.is_empty() || key != name)
        };
        // lapin's table cannot remove: it is built anew, which only messages that carry a context already cost.
        if self.0.inner().keys().any(remove) {
            let kept = self.0.inner().iter().filter(|(key, _)| !remove(key));
            *self.0 = kept.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>().into();
        }
        if !value.is_empty()
            && let Ok(key) = ShortString::try_new(name)
        {
            self.0.insert(key, AMQPValue::LongString(value.into_bytes().into()));
        }
    }
}

/// Reads headers from an AMQP table: long strings, and the byte arrays and short strings that other clients write, if they are UTF-8.
/// Other types are no text, and are passed over.
///
/// A name is looked for as it is, then without regard to case.
///
/// ```
/// use lapin::types::{AMQPValue, FieldTable};
/// use opentelemetry::propagation::Extractor;
/// use traced_rabbitmq::HeaderExtractor;
///
/// let mut headers = FieldTable::default();
/// headers.insert("Tenant".into(), AMQPValue::LongString("acme".into()));
/// headers.insert("attempts".into(), AMQPValue::LongInt(3));
/// assert_eq!(HeaderExtractor(&headers).get("tenant"), Some("acme"));
/// assert_eq!(HeaderExtractor(&headers).get("attempts"), None);
/// ```
#[derive(Debug)]
pub struct HeaderExtractor<'a>(pub &'a FieldTable);

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let table = self.0.inner();
        let mut other_case = None;
        // One pass: most names that are asked for are not there, and a look-up in the table would only come on top.
        for (key, value) in table {
            let key = key.as_str();
            if key == name {
                match text(value) {
                    None => {}
                    exact => return exact,
                }
            } else if other_case.is_none() && key.eq_ignore_ascii_case(name) {
                other_case = text(value);
            }
        }
        other_case
    }

    fn keys(&self) -> Vec<&str> {
        self.0.inner().keys().map(ShortString::as_str).collect()
    }

    /// A table holds each name once, but can hold it in several cases.
    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let first = self.get(name)?;
        let others = self.0.inner().iter().filter(|(key, _)| key.as_str().eq_ignore_ascii_case(name));
        let others = others.filter_map(|(_, value)| text(value)).filter(|value| !std::ptr::eq(*value, first));
        Some(std::iter::once(first).chain(others).collect())
    }
}

pub(crate) fn text(value: &AMQPValue) -> Option<&str> {
    match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        AMQPValue::ByteArray(bytes) => std::str::from_utf8(bytes.as_slice()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::types::FieldArray;

    fn table(entries: impl IntoIterator<Item = (&'static str, AMQPValue)>) -> FieldTable {
        entries.into_iter().map(|(key, value)| (key.into(), value)).collect::<BTreeMap<ShortString, _>>().into()
    }

    #[test]
    fn texts_of_every_type_are_read_and_everything_else_is_passed_over() {
        let long = |bytes: &[u8]| AMQPValue::LongString(bytes.to_vec().into());
        for (case, value, expected) in [
            ("long string", long(b"a"), Some("a")),
            ("long string that is not UTF-8", long(b"\xff"), None),
            ("empty", long(b""), Some("")),
            ("byte array", AMQPValue::ByteArray(b"b".to_vec().into()), Some("b")),
            ("byte array that is not UTF-8", AMQPValue::ByteArray(b"\xff".to_vec().into()), None),
            ("short string", AMQPValue::ShortString("c".into()), Some("c")),
            ("number", AMQPValue::LongInt(1), None),
            ("array", AMQPValue::FieldArray(FieldArray::default()), None),
            ("null", AMQPValue::Void, None),
        ] {
            let headers = table([("traceparent", value)]);
            assert_eq!(HeaderExtractor(&headers).get("traceparent"), expected, "{case}");
            assert_eq!(HeaderExtractor(&headers).get_all("traceparent"), expected.map(|text| vec![text]), "{case}");
        }
        assert_eq!(HeaderExtractor(&FieldTable::default()).get("traceparent"), None, "absent");
    }

    #[test]
    fn the_exact_name_goes_before_the_same_name_in_another_case() {
        let headers = table([
            ("Traceparent", AMQPValue::LongString("other".into())),
            ("traceparent", AMQPValue::LongString("exact".into())),
        ]);
        assert_eq!(HeaderExtractor(&headers).get("traceparent"), Some("exact"));
        assert_eq!(HeaderExtractor(&headers).get("TRACEPARENT"), Some("other"));
        assert_eq!(HeaderExtractor(&headers).get_all("traceparent"), Some(vec!["exact", "other"]));
    }

    #[test]
    fn injecting_leaves_one_header_of_the_name_and_all_others_as_they_were() {
        let others = [("x-binary", AMQPValue::ByteArray(vec![0, 255].into())), ("x-null", AMQPValue::Void)];
        let mut headers = table(others.clone());
        headers.insert("TraceParent".into(), AMQPValue::LongInt(7));
        HeaderInjector(&mut headers).set("traceparent", "new".to_owned());
        let mut expected = table(others);
        expected.insert("traceparent".into(), AMQPValue::LongString("new".into()));
        assert_eq!(headers, expected);
    }

    #[test]
    fn a_name_that_amqp_cannot_hold_is_left_out() {
        let mut headers = FieldTable::default();
        HeaderInjector(&mut headers).set(&"x".repeat(256), "value".to_owned());
        assert_eq!(headers, FieldTable::default());
    }
}
