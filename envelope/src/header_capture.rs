//! Headers as span attributes, for those that the application names.

use crate::Telemetry;
use crate::message_headers::names_of;
use crate::pattern::Pattern;
use opentelemetry::propagation::Extractor;
use opentelemetry::{Array, KeyValue, StringValue, Value};

/// Which headers become attributes `messaging.header.<name in lower case>` (the name that the Java agent uses): none by default,
/// since headers can hold anything.
/// Whoever writes to a queue decides how many there are and how long: neither is trusted.
const MOST: usize = 64;
const LONGEST: usize = 16 * 1024;

#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderCapture {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl HeaderCapture {
    pub(crate) fn include(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        self.include.extend(patterns.into_iter().map(Pattern::lower_case));
    }

    pub(crate) fn exclude(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        self.exclude.extend(patterns.into_iter().map(Pattern::lower_case));
    }

    /// The attribute's key, for a header that is captured.
    pub(crate) fn key(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        let named = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(&lower));
        (named(&self.include) && !named(&self.exclude)).then(|| format!("messaging.header.{lower}"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.include.is_empty()
    }

    #[inline]
    pub(crate) fn capture(&self, headers: &dyn Extractor, attributes: &mut Vec<KeyValue>) {
        if !self.is_empty() {
            self.capture_named(headers, attributes);
        }
    }

    #[cold]
    fn capture_named(&self, headers: &dyn Extractor, attributes: &mut Vec<KeyValue>) {
        let mut room = MOST;
        for name in names_of(headers) {
            let Some(key) = self.key(name) else { continue };
            let values = headers.get_all(name).unwrap_or_default().into_iter().filter(|value| value.len() <= LONGEST);
            let values: Vec<StringValue> = values.take(room).map(|value| value.to_owned().into()).collect();
            if !values.is_empty() {
                room -= values.len();
                attributes.push(KeyValue::new(key, Value::Array(Array::String(values))));
            }
        }
    }
}

impl Telemetry {
    /// Whether [`Settings::capture_headers`](crate::Settings::capture_headers) names any: an adapter that would have to write some as
    /// text need not.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// assert!(!Telemetry::new("nats", &Settings::default()).captures_headers());
    /// ```
    #[inline]
    #[must_use]
    pub fn captures_headers(&self) -> bool {
        !self.settings().headers.is_empty()
    }

    /// The attribute that a header becomes; `None` if it is not captured. For headers that are no text, which only their adapter can write:
    /// the others are captured already.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("rabbitmq", &Settings::default().capture_headers(["x-death"]));
    /// assert_eq!(telemetry.captured_header("X-Death").as_deref(), Some("messaging.header.x-death"));
    /// assert_eq!(telemetry.captured_header("x-token"), None);
    /// ```
    #[must_use]
    pub fn captured_header(&self, name: &str) -> Option<String> {
        self.settings().headers.key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageHeaders;

    #[test]
    fn included_headers_become_attributes_and_excluded_ones_do_not() {
        let headers: MessageHeaders =
            [("X-Tenant", "acme"), ("x-tenant", "two"), ("x-token", "secret"), ("other", "-")].into_iter().collect();
        let mut capture = HeaderCapture::default();
        capture.include(["X-*"]);
        capture.exclude(["*token*"]);
        let mut attributes = Vec::new();
        capture.capture(&headers, &mut attributes);
        let found: Vec<_> =
            attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
        assert_eq!(found, [r#"messaging.header.x-tenant=["acme","two"]"#]);
    }

    #[test]
    fn neither_many_headers_nor_long_ones_fill_a_span() {
        let mut headers: MessageHeaders = (0..MOST + 1).map(|number| (format!("x-{number}"), "a")).collect();
        headers.append("x-0", "x".repeat(LONGEST + 1));
        let mut capture = HeaderCapture::default();
        capture.include(["*"]);
        let mut attributes = Vec::new();
        capture.capture(&headers, &mut attributes);
        assert_eq!(attributes.len(), MOST);
        assert!(attributes.iter().all(|attribute| attribute.value.to_string() == r#"["a"]"#));
    }
}
