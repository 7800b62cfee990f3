//! `traceparent` under the names that other frameworks give it.

use opentelemetry::propagation::Extractor;

const TRACEPARENT: &str = "traceparent";

/// Answers for `traceparent` with the first of the other headers, where a message has none of that name.
pub(crate) struct ForeignHeaders<'a> {
    pub(crate) headers: &'a dyn Extractor,
    pub(crate) names: &'a [String],
}

impl ForeignHeaders<'_> {
    fn other<T>(&self, name: &str, get: impl FnMut(&String) -> Option<T>) -> Option<T> {
        name.eq_ignore_ascii_case(TRACEPARENT).then(|| self.names.iter().find_map(get)).flatten()
    }
}

impl Extractor for ForeignHeaders<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.headers.get(name).or_else(|| self.other(name, |other| self.headers.get(other)))
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.keys()
    }

    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let given = self.headers.get_all(name).filter(|values| !values.is_empty());
        given.or_else(|| self.other(name, |other| self.headers.get_all(other)))
    }
}
