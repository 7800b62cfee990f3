//! Whatever the three headers hold, reading does not panic, and what was read is written in a form
//! that is read back the same.
//!
//! From `envelope/`: `cargo +nightly fuzz run headers`

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use opentelemetry::{
    Context,
    baggage::BaggageExt,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use traced_envelope::propagation::{W3cPropagator, format_traceparent, parse_traceparent};

const NAMES: [&str; 3] = ["traceparent", "tracestate", "baggage"];
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

/// Fields in the order of the input, so that names repeat.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl Extractor for Fields<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.last().copied()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| *key).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let fields = self.0.iter().filter(|(name, _)| *name == key);
        let values = fields.map(|(_, value)| *value).collect::<Vec<_>>();
        (!values.is_empty()).then_some(values)
    }
}

#[derive(Debug, Default, PartialEq)]
struct Sent(BTreeMap<String, String>);

impl Injector for Sent {
    fn set(&mut self, key: &str, value: String) {
        assert!(
            value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{key}: {value}"
        );
        assert!(!value.is_empty() && (key != "baggage" || value.len() <= 8192));
        assert!(self.0.insert(key.to_owned(), value).is_none());
    }
}

fuzz_target!(|data: &[u8]| {
    if let Some(context) = parse_traceparent(data) {
        let again = parse_traceparent(&format_traceparent(&context));
        assert_eq!(again, Some(context));
    }

    // A line is a field; its first byte says which one, and whether a valid parent comes first.
    let text = String::from_utf8_lossy(data);
    let mut fields = vec![];
    for line in text.split('\n') {
        let mut rest = line.chars();
        let which = rest.next().map_or(0, |first| first as usize);
        if which & 4 != 0 {
            fields.push((NAMES[0], TRACEPARENT));
        }
        fields.push((NAMES[(which & 3) % NAMES.len()], rest.as_str()));
    }

    let propagator = W3cPropagator::new();
    let read = propagator.extract_with_context(&Context::new(), &Fields(fields));
    let mut sent = Sent::default();
    propagator.inject_context(&read, &mut sent);

    let fields = sent
        .0
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let again = propagator.extract_with_context(&Context::new(), &Fields(fields.collect()));
    assert_eq!(again.span().span_context(), read.span().span_context());
    for (key, (value, _)) in again.baggage() {
        assert_eq!(read.baggage().get(key), Some(value));
    }
    let mut resent = Sent::default();
    propagator.inject_context(&again, &mut resent);
    assert_eq!(resent, sent);
});
