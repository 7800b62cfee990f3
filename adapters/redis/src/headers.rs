//! The fields of a stream's entry as a carrier.

use crate::Entry;
use opentelemetry::propagation::{Extractor, Injector};
use redis::Value;
use redis::streams::StreamId;
use std::fmt;

/// Writes headers into the fields of an entry that is about to be added.
///
/// Setting a header replaces every field of that name, whatever its case; an empty value removes it. All other fields stay as they
/// are, in their order, binary ones too.
///
/// ```
/// use opentelemetry::propagation::Injector;
/// use traced_redis::HeaderInjector;
///
/// let mut fields = vec![(b"id".to_vec(), b"42".to_vec()), (b"Tracestate".to_vec(), b"vendor=1".to_vec())];
/// HeaderInjector(&mut fields).set("tracestate", "vendor=2".to_owned());
/// assert_eq!(fields[1], (b"tracestate".to_vec(), b"vendor=2".to_vec()));
/// let command = traced_redis::redis::Cmd::xadd("orders", "*", &fields);
/// assert_eq!(command.args_iter().len(), 7);
/// ```
#[derive(Debug)]
pub struct HeaderInjector<'a>(pub &'a mut Vec<(Vec<u8>, Vec<u8>)>);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(present, _)| !present.eq_ignore_ascii_case(name.as_bytes()));
        if !value.is_empty() {
            self.0.push((name.into(), value.into_bytes()));
        }
    }

    fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }
}

/// What has the fields of an entry: an [`Entry`], redis' [`StreamId`], or a list of fields. It cannot be implemented elsewhere.
///
/// ```
/// use opentelemetry::propagation::Extractor;
/// use traced_redis::{Fields, HeaderExtractor};
///
/// fn tenant(fields: &(impl Fields + ?Sized)) -> Option<String> {
///     HeaderExtractor(fields).get("tenant").map(str::to_owned)
/// }
///
/// let list = vec![(b"tenant".to_vec(), b"acme".to_vec())];
/// assert_eq!(tenant(list.as_slice()).as_deref(), Some("acme"));
/// ```
pub trait Fields: sealed::Sealed {}

pub(crate) mod sealed {
    pub trait Sealed {
        /// All of them in their order; a value that is no string is `None`.
        fn all(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)>;
    }
}

impl Fields for Entry {}
impl sealed::Sealed for Entry {
    fn all(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.fields().iter().filter_map(|(name, value)| Some((bytes(name)?, bytes(value))))
    }
}

impl Fields for StreamId {}
impl sealed::Sealed for StreamId {
    fn all(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.map.iter().map(|(name, value)| (name.as_bytes(), bytes(value)))
    }
}

impl Fields for [(Vec<u8>, Vec<u8>)] {}
impl sealed::Sealed for [(Vec<u8>, Vec<u8>)] {
    fn all(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.iter().map(|(name, value)| (name.as_slice(), Some(value.as_slice())))
    }
}

/// Reads the fields of an entry as headers. What is no UTF-8, name or value, is passed over.
///
/// A name is looked for as it is, then without regard to case; of several values the last one counts.
///
/// ```
/// use opentelemetry::propagation::Extractor;
/// use traced_redis::HeaderExtractor;
/// use traced_redis::redis::streams::StreamId;
///
/// let mut entry = StreamId::default();
/// entry.map.insert("Tenant".to_owned(), traced_redis::redis::Value::BulkString(b"acme".to_vec()));
/// assert_eq!(HeaderExtractor(&entry).get("tenant"), Some("acme"));
/// ```
pub struct HeaderExtractor<'a, T: ?Sized>(pub &'a T);

impl<T: Fields + ?Sized> Extractor for HeaderExtractor<'_, T> {
    fn get(&self, name: &str) -> Option<&str> {
        let (mut exact, mut other_case) = (None, None);
        for (field, value) in self.0.all() {
            if !field.eq_ignore_ascii_case(name.as_bytes()) {
                continue;
            }
            let Some(value) = text(value) else { continue };
            *(if field == name.as_bytes() { &mut exact } else { &mut other_case }) = Some(value);
        }
        exact.or(other_case)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.all().filter_map(|(name, _)| std::str::from_utf8(name).ok()).collect()
    }

    /// In the entry's order.
    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let named = self.0.all().filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
        let values: Vec<_> = named.filter_map(|(_, value)| text(value)).collect();
        (!values.is_empty()).then_some(values)
    }
}

impl<T: Fields + ?Sized> fmt::Debug for HeaderExtractor<'_, T> {
    /// Values are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("HeaderExtractor").field(&self.keys()).finish()
    }
}

/// The bytes of a string of any of redis' kinds.
pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

fn text(value: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Raw<'a> = (&'a [u8], &'a [u8]);

    fn list(fields: &[Raw<'_>]) -> Vec<(Vec<u8>, Vec<u8>)> {
        fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    }

    /// Case, fields, what `get` finds, what `get_all` finds.
    #[test]
    fn texts_are_read_and_everything_else_is_passed_over() {
        type Case<'a> = (&'a str, &'a [Raw<'a>], Option<&'a str>, Option<&'a [&'a str]>);
        let cases: [Case<'_>; 9] = [
            ("none at all", &[], None, None),
            ("absent", &[(b"other", b"x")], None, None),
            ("present", &[(b"traceparent", b"a")], Some("a"), Some(&["a"])),
            ("empty", &[(b"traceparent", b"")], Some(""), Some(&[""])),
            ("binary", &[(b"traceparent", b"\xff\0")], None, None),
            ("a name that is not UTF-8", &[(b"\xff", b"x"), (b"traceparent", b"a")], Some("a"), Some(&["a"])),
            (
                "duplicates: the last one counts, all are listed in their order",
                &[(b"traceparent", b"a"), (b"x", b"x"), (b"traceparent", b"b")],
                Some("b"),
                Some(&["a", "b"]),
            ),
            ("another case", &[(b"TraceParent", b"a")], Some("a"), Some(&["a"])),
            (
                "the exact name goes before another case, wherever it stands",
                &[(b"traceparent", b"exact"), (b"Traceparent", b"other")],
                Some("exact"),
                Some(&["exact", "other"]),
            ),
        ];
        for (case, fields, one, every) in cases {
            let fields = list(fields);
            let extractor = HeaderExtractor(fields.as_slice());
            assert_eq!(extractor.get("traceparent"), one, "{case}");
            assert_eq!(extractor.get_all("traceparent").as_deref(), every, "{case}");
        }
    }

    #[test]
    fn names_that_are_not_utf_8_are_not_among_the_keys() {
        let fields = list(&[(b"b", b"1"), (b"\xff", b"x"), (b"a", b"\xff")]);
        let extractor = HeaderExtractor(fields.as_slice());
        assert_eq!(extractor.keys(), ["b", "a"]);
        assert_eq!(format!("{extractor:?}"), r#"HeaderExtractor(["b", "a"])"#, "values are the application's");
    }

    /// Case, fields before, value, fields after.
    #[test]
    fn injecting_leaves_one_field_of_the_name_and_all_others_as_they_were() {
        type Case<'a> = (&'a str, &'a [Raw<'a>], &'a str, &'a [Raw<'a>]);
        let cases: [Case<'_>; 5] = [
            ("into none", &[], "new", &[(b"traceparent", b"new")]),
            (
                "duplicates, and in other cases",
                &[(b"traceparent", b"a"), (b"x", b"x"), (b"TRACEPARENT", b"b"), (b"TraceParent", b"\xff")],
                "new",
                &[(b"x", b"x"), (b"traceparent", b"new")],
            ),
            (
                "others: order, duplicates, empty and binary ones",
                &[
                    (b"b", b"1"),
                    (b"\xff", b"bad"),
                    (b"traceparent", b"old"),
                    (b"b", b"2"),
                    (b"", b""),
                    (b"z", b"\0\xff"),
                ],
                "new",
                &[
                    (b"b", b"1"),
                    (b"\xff", b"bad"),
                    (b"b", b"2"),
                    (b"", b""),
                    (b"z", b"\0\xff"),
                    (b"traceparent", b"new"),
                ],
            ),
            ("empty removes", &[(b"traceparent", b"old"), (b"x", b"")], "", &[(b"x", b"")]),
            ("empty, absent", &[(b"x", b"x")], "", &[(b"x", b"x")]),
        ];
        for (case, before, value, after) in cases {
            let mut fields = list(before);
            HeaderInjector(&mut fields).set("traceparent", value.to_owned());
            assert_eq!(fields, list(after), "{case}");
        }
    }
}
