//! Contexts in a task's metadata.

use crate::builtin;
use apalis_core::task::metadata::{Metadata, MetadataStore};
use opentelemetry::propagation::{Extractor, Injector};
use std::cell::Cell;
use std::fmt;

/// Writes into a task's metadata: an entry of the same name is replaced, an empty value removes it.
///
/// ```
/// use opentelemetry::propagation::Injector;
/// use traced_apalis::HeaderInjector;
/// use traced_apalis::apalis_core::task::metadata::MetadataStore;
///
/// let mut metadata = MetadataStore::from_iter([("traceparent", "old"), ("tracestate", "a=1"), ("tenant", "acme")]);
/// let mut headers = HeaderInjector(&mut metadata);
/// headers.set("traceparent", "new".to_owned());
/// headers.set("tracestate", String::new());
/// assert_eq!(metadata, MetadataStore::from_iter([("traceparent", "new"), ("tenant", "acme")]));
/// ```
#[derive(Debug)]
pub struct HeaderInjector<'a>(pub &'a mut MetadataStore);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, name: &str, value: String) {
        // One that differs in case would be read by whoever compares without it.
        let others = self.0.keys().filter(|key| key.as_str() != name && key.eq_ignore_ascii_case(name));
        for other in others.cloned().collect::<Vec<_>>() {
            self.0.remove(&other);
        }
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.replace(name, value);
        }
    }
}

/// Reads a task's metadata: the exact name first, then whatever its case.
///
/// ```
/// use opentelemetry::propagation::Extractor;
/// use traced_apalis::HeaderExtractor;
/// use traced_apalis::apalis_core::task::metadata::MetadataStore;
///
/// let metadata = MetadataStore::from_iter([("Baggage", "tenant=acme")]);
/// assert_eq!(HeaderExtractor(&metadata).get("baggage"), Some("tenant=acme"));
/// ```
#[derive(Debug)]
pub struct HeaderExtractor<'a>(pub &'a MetadataStore);

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).or_else(|| {
            let mut entries = self.0.iter();
            entries.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        })
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// A task's metadata, in which a context of apalis' own layer stands for the W3C's headers where these are not there.
pub(crate) struct TaskHeaders<'a> {
    metadata: HeaderExtractor<'a>,
    builtin: Option<builtin::Headers<'a>>,
}

impl<'a> TaskHeaders<'a> {
    pub(crate) fn new(metadata: &'a MetadataStore) -> Self {
        let metadata = HeaderExtractor(metadata);
        let builtin = if metadata.get(builtin::TRACEPARENT).is_some() { None } else { builtin::read(metadata.0) };
        Self { metadata, builtin }
    }
}

impl Extractor for TaskHeaders<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match &self.builtin {
            Some(builtin) if name.eq_ignore_ascii_case(builtin::TRACEPARENT) => Some(&builtin.traceparent),
            Some(builtin) if name.eq_ignore_ascii_case(builtin::TRACESTATE) => builtin.tracestate,
            _ => self.metadata.get(name),
        }
    }

    fn keys(&self) -> Vec<&str> {
        let mut keys = self.metadata.keys();
        if let Some(builtin) = &self.builtin {
            keys.push(builtin::TRACEPARENT);
            keys.extend(builtin.tracestate.map(|_| builtin::TRACESTATE));
        }
        keys
    }
}

/// What is to be written into a task's metadata.
#[derive(Debug, Default)]
pub(crate) struct Written(Vec<(String, String)>);

impl Written {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, value)| value.is_empty())
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut entries = self.0.iter().rev();
        entries.find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn into_metadata(self) -> WrittenMetadata {
        WrittenMetadata(Cell::new(self.0))
    }
}

impl Injector for Written {
    fn set(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }
}

/// apalis lends a task's metadata out mutably to a [`Metadata`] only, which it borrows: what is moved out of it is copied otherwise.
pub(crate) struct WrittenMetadata(Cell<Vec<(String, String)>>);

impl Metadata for WrittenMetadata {
    type Error = fmt::Error;

    /// It is only written.
    fn extract(_: &MetadataStore) -> Result<Self, Self::Error> {
        Err(fmt::Error)
    }

    fn inject(&self, metadata: &mut MetadataStore) -> Result<(), Self::Error> {
        let mut headers = HeaderInjector(metadata);
        self.0.take().into_iter().for_each(|(name, value)| headers.set(&name, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const THEIRS: &str = "5bf92f3577b34da6a3ce929d0e0e4736;00f067aa0ba902b7;1;a=1";

    #[test]
    fn a_header_is_read_by_its_exact_name_and_then_whatever_its_case() {
        let cases = [
            (vec![], None),
            (vec![("traceparent", OURS)], Some(OURS)),
            (vec![("Traceparent", OURS)], Some(OURS)),
            (vec![("TRACEPARENT", "other"), ("traceparent", OURS)], Some(OURS)),
            (vec![("traceparent", "")], Some("")),
        ];
        for (entries, expected) in cases {
            let metadata = MetadataStore::from_iter(entries.iter().copied());
            assert_eq!(HeaderExtractor(&metadata).get("traceparent"), expected, "{entries:?}");
            assert_eq!(HeaderExtractor(&metadata).keys().len(), entries.len());
        }
    }

    #[test]
    fn a_written_header_replaces_every_one_of_its_name_and_an_empty_one_removes_it() {
        let mut metadata =
            MetadataStore::from_iter([("traceparent", "old"), ("TraceParent", "older"), ("baggage", "a=1"), ("x", "")]);
        let mut written = Written::default();
        written.set("traceparent", String::new());
        written.set("traceparent", OURS.to_owned());
        written.set("baggage", String::new());
        assert_eq!(written.into_metadata().inject(&mut metadata), Ok(()));
        assert_eq!(metadata, MetadataStore::from_iter([("traceparent", OURS), ("x", "")]));
    }

    #[test]
    fn apalis_own_context_stands_for_missing_headers_only() {
        let theirs = MetadataStore::from_iter([(builtin::KEY, THEIRS)]);
        let headers = TaskHeaders::new(&theirs);
        assert_eq!(headers.get("traceparent"), Some("00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert_eq!(headers.get("Tracestate"), Some("a=1"));
        assert_eq!(headers.keys(), [builtin::KEY, "traceparent", "tracestate"]);

        let both = MetadataStore::from_iter([(builtin::KEY, THEIRS), ("traceparent", OURS)]);
        let headers = TaskHeaders::new(&both);
        assert_eq!((headers.get("traceparent"), headers.get("tracestate")), (Some(OURS), None));
    }
}
