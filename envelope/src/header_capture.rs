//! Headers as span attributes, for those that the application names.

use crate::pattern::Pattern;
use opentelemetry::propagation::Extractor;
use opentelemetry::{Array, KeyValue, StringValue, Value};

/// Which headers become attributes `messaging.header.<name in lower case>` (the name that the Java agent uses): none by default,
/// since headers can hold anything.
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

    pub(crate) fn is_empty(&self) -> bool {
        self.include.is_empty()
    }

    pub(crate) fn capture(&self, headers: &dyn Extractor, attributes: &mut Vec<KeyValue>) {
        if self.is_empty() {
            return;
        }
        let mut names = headers.keys();
        names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
        names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        for name in names {
            let lower = name.to_ascii_lowercase();
            let named = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(&lower));
            if !named(&self.include) || named(&self.exclude) {
                continue;
            }
            let values: Vec<StringValue> =
                headers.get_all(name).unwrap_or_default().into_iter().map(|value| value.to_owned().into()).collect();
            if !values.is_empty() {
                attributes
                    .push(KeyValue::new(format!("messaging.header.{lower}"), Value::Array(Array::String(values))));
            }
        }
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
}
