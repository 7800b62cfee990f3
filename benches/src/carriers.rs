//! The carriers that people write by hand.

use lapin::types::{AMQPValue, FieldTable, ShortString};
use opentelemetry::propagation::{Extractor, Injector};

pub(crate) struct TableInjector<'a>(pub(crate) &'a mut FieldTable);

impl Injector for TableInjector<'_> {
    fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.into(), AMQPValue::LongString(value.into()));
    }
}

pub(crate) struct TableExtractor<'a>(pub(crate) &'a FieldTable);

impl Extractor for TableExtractor<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match self.0.inner().get(name)? {
            AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.inner().keys().map(ShortString::as_str).collect()
    }
}
