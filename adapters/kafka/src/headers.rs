//! Kafka's record headers as a carrier.

use crate::native_headers;
use opentelemetry::propagation::{Extractor, Injector};
use rdkafka::message::{BorrowedHeaders, Header, OwnedHeaders};
use std::ffi::CStr;
use std::fmt;

/// Writes headers into those of a record, as UTF-8.
///
/// Setting a header replaces every one of that name, whatever its case; an empty value removes it. All other headers stay as they
/// are, in their order: null and binary values, and names that are not UTF-8, too.
///
/// ```
/// use opentelemetry::propagation::Injector;
/// use traced_kafka::HeaderInjector;
/// use traced_kafka::rdkafka::message::Headers;
///
/// let mut headers = None;
/// HeaderInjector(&mut headers).set("tracestate", "vendor=1".to_owned());
/// HeaderInjector(&mut headers).set("tracestate", "vendor=2".to_owned());
/// let headers = headers.unwrap();
/// assert_eq!((headers.count(), headers.get(0).value), (1, Some(&b"vendor=2"[..])));
/// ```
#[derive(Debug)]
pub struct HeaderInjector<'a>(pub &'a mut Option<OwnedHeaders>);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, name: &str, value: String) {
        if let Some(headers) = self.0 {
            while let Some(stale) = first_of(headers.as_borrowed(), name).map(CStr::to_owned)
                && native_headers::remove(headers, &stale)
            {}
        }
        if !value.is_empty() {
            let headers = self.0.take().unwrap_or_default();
            *self.0 = Some(headers.insert(Header { key: name, value: Some(value.as_bytes()) }));
        }
    }
}

fn first_of<'a>(headers: &'a BorrowedHeaders, name: &str) -> Option<&'a CStr> {
    all(headers).map(|(key, _)| key).find(|key| key.to_bytes().eq_ignore_ascii_case(name.as_bytes()))
}

/// Reads the headers of a record. What is no UTF-8, name or value, and what is null is passed over.
///
/// A name is looked for as it is, then without regard to case; of several values the last one counts.
///
/// ```
/// use opentelemetry::propagation::Extractor;
/// use traced_kafka::HeaderExtractor;
/// use traced_kafka::rdkafka::message::{Header, OwnedHeaders};
///
/// let headers = OwnedHeaders::new().insert(Header { key: "Tenant", value: Some("acme") });
/// assert_eq!(HeaderExtractor(headers.as_borrowed()).get("tenant"), Some("acme"));
/// ```
pub struct HeaderExtractor<'a>(pub &'a BorrowedHeaders);

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let (mut exact, mut other_case) = (None, None);
        // The name first: to look whether a value is text takes longer.
        for (key, value) in all(self.0).filter(|(key, _)| key.to_bytes().eq_ignore_ascii_case(name.as_bytes())) {
            let Some(value) = text(value) else { continue };
            if key.to_bytes() == name.as_bytes() {
                exact = Some(value);
            } else {
                other_case = Some(value);
            }
        }
        exact.or(other_case)
    }

    fn keys(&self) -> Vec<&str> {
        all(self.0).filter_map(|(key, _)| key.to_str().ok()).collect()
    }

    /// In the record's order.
    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let named = all(self.0).filter(|(key, _)| key.to_bytes().eq_ignore_ascii_case(name.as_bytes()));
        let values: Vec<_> = named.filter_map(|(_, value)| text(value)).collect();
        (!values.is_empty()).then_some(values)
    }
}

impl fmt::Debug for HeaderExtractor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("HeaderExtractor").field(&self.keys()).finish()
    }
}

fn all(headers: &BorrowedHeaders) -> impl Iterator<Item = (&CStr, Option<&[u8]>)> {
    (0..).map_while(|index| native_headers::get(headers, index))
}

fn text(value: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Raw<'a> = (&'a CStr, Option<&'a [u8]>);

    fn list(entries: &[Raw<'_>]) -> OwnedHeaders {
        entries.iter().fold(OwnedHeaders::new(), |mut headers, (name, value)| match value {
            Some(value) => {
                native_headers::append(&mut headers, name, value);
                headers
            }
            None => headers.insert(Header { key: name.to_str().unwrap(), value: None::<&[u8]> }),
        })
    }

    /// Case, headers, what `get` finds, what `get_all` finds.
    #[test]
    fn texts_are_read_and_everything_else_is_passed_over() {
        type Case<'a> = (&'a str, &'a [Raw<'a>], Option<&'a str>, Option<&'a [&'a str]>);
        let cases: [Case<'_>; 12] = [
            ("absent", &[(c"other", Some(b"x"))], None, None),
            ("none at all", &[], None, None),
            ("present", &[(c"traceparent", Some(b"a"))], Some("a"), Some(&["a"])),
            ("empty", &[(c"traceparent", Some(b""))], Some(""), Some(&[""])),
            ("null", &[(c"traceparent", None)], None, None),
            ("binary", &[(c"traceparent", Some(b"\xff\0"))], None, None),
            (
                "duplicates: the last one counts, all are listed in their order",
                &[(c"traceparent", Some(b"a")), (c"x", Some(b"x")), (c"traceparent", Some(b"b"))],
                Some("b"),
                Some(&["a", "b"]),
            ),
            (
                "null before and after a value",
                &[(c"traceparent", None), (c"traceparent", Some(b"a")), (c"traceparent", None)],
                Some("a"),
                Some(&["a"]),
            ),
            (
                "binary after a value",
                &[(c"traceparent", Some(b"a")), (c"traceparent", Some(b"\xff"))],
                Some("a"),
                Some(&["a"]),
            ),
            ("another case", &[(c"TraceParent", Some(b"a"))], Some("a"), Some(&["a"])),
            (
                "the exact name goes before another case, wherever it stands",
                &[(c"traceparent", Some(b"exact")), (c"Traceparent", Some(b"other"))],
                Some("exact"),
                Some(&["exact", "other"]),
            ),
            (
                "beside a name that is not UTF-8",
                &[(c"\xff\xfe", Some(b"x")), (c"traceparent", Some(b"a"))],
                Some("a"),
                Some(&["a"]),
            ),
        ];
        for (case, entries, one, every) in cases {
            let headers = list(entries);
            let extractor = HeaderExtractor(headers.as_borrowed());
            assert_eq!(extractor.get("traceparent"), one, "{case}");
            assert_eq!(extractor.get_all("traceparent").as_deref(), every, "{case}");
        }
    }

    #[test]
    fn names_that_are_not_utf_8_are_not_among_the_keys() {
        let headers = list(&[(c"b", None), (c"\xff", Some(b"x")), (c"a", Some(b"\xff"))]);
        let extractor = HeaderExtractor(headers.as_borrowed());
        assert_eq!(extractor.keys(), ["b", "a"]);
        assert_eq!(format!("{extractor:?}"), r#"HeaderExtractor(["b", "a"])"#, "values are the application's");
    }

    /// Case, headers before, value, headers after.
    #[test]
    fn injecting_leaves_one_header_of_the_name_and_all_others_as_they_were() {
        type Case<'a> = (&'a str, &'a [Raw<'a>], &'a str, &'a [Raw<'a>]);
        let cases: [Case<'_>; 6] = [
            ("into none", &[], "new", &[(c"traceparent", Some(b"new"))]),
            ("twice the same", &[(c"traceparent", Some(b"new"))], "new", &[(c"traceparent", Some(b"new"))]),
            (
                "duplicates, null and in other cases",
                &[
                    (c"traceparent", Some(b"a")),
                    (c"x", Some(b"x")),
                    (c"TRACEPARENT", Some(b"b")),
                    (c"traceparent", None),
                    (c"TraceParent", Some(b"\xff")),
                ],
                "new",
                &[(c"x", Some(b"x")), (c"traceparent", Some(b"new"))],
            ),
            (
                "others: order, duplicates, null, empty and binary values, bad names",
                &[
                    (c"b", Some(b"1")),
                    (c"\xff\xfe", Some(b"bad")),
                    (c"a", None),
                    (c"traceparent", Some(b"old")),
                    (c"b", Some(b"2")),
                    (c"empty", Some(b"")),
                    (c"binary", Some(b"\0\xff")),
                ],
                "new",
                &[
                    (c"b", Some(b"1")),
                    (c"\xff\xfe", Some(b"bad")),
                    (c"a", None),
                    (c"b", Some(b"2")),
                    (c"empty", Some(b"")),
                    (c"binary", Some(b"\0\xff")),
                    (c"traceparent", Some(b"new")),
                ],
            ),
            ("empty removes", &[(c"traceparent", Some(b"old")), (c"x", None)], "", &[(c"x", None)]),
            ("empty, absent", &[(c"x", Some(b"x"))], "", &[(c"x", Some(b"x"))]),
        ];
        for (case, before, value, after) in cases {
            let mut headers = Some(list(before));
            HeaderInjector(&mut headers).set("traceparent", value.to_owned());
            let headers = headers.unwrap();
            assert_eq!(all(headers.as_borrowed()).collect::<Vec<_>>(), after, "{case}");
        }
    }

    #[test]
    fn nothing_to_write_makes_no_headers() {
        let mut headers = None;
        HeaderInjector(&mut headers).set("traceparent", String::new());
        assert!(headers.is_none());
    }
}
