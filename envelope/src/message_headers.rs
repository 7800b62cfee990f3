//! A carrier for any transport that has text headers.

use opentelemetry::propagation::{Extractor, Injector};

/// Text headers in their order: a carrier for transports that no adapter wraps, and for tests.
///
/// Names are compared without regard to case, as the W3C asks of those who read `traceparent`. Setting a header replaces every one
/// of that name; an empty value removes it, because an empty `tracestate` must not be sent.
///
/// ```
/// use opentelemetry::propagation::{Extractor, Injector};
/// use traced_envelope::MessageHeaders;
///
/// let mut headers: MessageHeaders = [("Traceparent", "old"), ("tenant", "acme")].into_iter().collect();
/// headers.set("traceparent", "new".to_owned());
/// assert_eq!(headers.get("TraceParent"), Some("new"));
/// assert_eq!(headers.iter().collect::<Vec<_>>(), [("tenant", "acme"), ("traceparent", "new")]);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MessageHeaders(Vec<(String, String)>);

impl MessageHeaders {
    /// No headers yet.
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut headers = MessageHeaders::new();
    /// let span = telemetry.send(Operation::new("publish", "orders"), &mut headers);
    /// assert!(headers.get("traceparent").is_some()); // to be sent with the message
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of those that are text.
    pub(crate) fn of(headers: &dyn Extractor) -> Self {
        let values = |name| headers.get_all(name).unwrap_or_default().into_iter().map(move |value| (name, value));
        names_of(headers).into_iter().flat_map(values).collect()
    }

    /// The headers in their order.
    ///
    /// ```
    /// use traced_envelope::MessageHeaders;
    ///
    /// let headers: MessageHeaders = [("tenant", "acme"), ("priority", "1")].into_iter().collect();
    /// let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    /// assert_eq!(lines.concat(), "tenant: acme\r\npriority: 1\r\n"); // as a transport of one's own writes them
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Appends a header, even if there is one of that name.
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::MessageHeaders;
    ///
    /// let mut headers = MessageHeaders::new();
    /// headers.append("tracestate", "a=1");
    /// headers.append("tracestate", "b=2");
    /// assert_eq!(headers.get_all("tracestate"), Some(vec!["a=1", "b=2"]));
    /// ```
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for MessageHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The names of headers, each once whatever its case, in their order.
pub(crate) fn names_of(headers: &dyn Extractor) -> Vec<&str> {
    let mut names = headers.keys();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    names
}

impl Injector for MessageHeaders {
    fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.0.push((name.to_owned(), value));
        }
    }

    fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }
}

impl Extractor for MessageHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(present, _)| present.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn keys(&self) -> Vec<&str> {
        self.iter().map(|(name, _)| name).collect()
    }

    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let values: Vec<_> =
            self.iter().filter(|(present, _)| present.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        Some(values).filter(|values| !values.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_removes_the_header() {
        let mut headers: MessageHeaders = [("tracestate", "a=1"), ("x", "")].into_iter().collect();
        headers.set("TraceState", String::new());
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("x", "")]);
    }
}
