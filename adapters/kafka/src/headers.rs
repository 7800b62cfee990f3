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
            while let Some(stale) = first_of(headers.as_borrowed(), name).map(CStr::to_owned) {
                native_headers::remove(headers, &stale);
            }
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
        for (key, value) in all(self.0).filter_map(|(key, value)| Some((key, text(value)?))) {
            if key.to_bytes() == name.as_bytes() {
                exact = Some(value);
            } else if key.to_bytes().eq_ignore_ascii_case(name.as_bytes()) {
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
