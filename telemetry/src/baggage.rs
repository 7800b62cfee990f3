//! Baggage without a trace context, beside propagators of other formats.

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use std::sync::LazyLock;
use traced_envelope::propagation::W3cPropagator;

const BAGGAGE: &str = "baggage";
/// Its own, so that it is not taken for the propagator that it wraps.
static FIELD: LazyLock<[String; 1]> = LazyLock::new(|| [BAGGAGE.to_owned()]);

/// Of [`W3cPropagator`] the one header: the SDK's `BaggagePropagator` (0.33) writes a bare `%`, and reads `a=b` as `a`.
#[derive(Debug, Default)]
pub(crate) struct BaggageOnly(W3cPropagator);

impl TextMapPropagator for BaggageOnly {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(context, &mut Only(BAGGAGE, injector));
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(context, &OnlyBaggage(extractor))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&*FIELD)
    }
}

/// Writes one header, whatever it is given.
pub(crate) struct Only<'a>(pub(crate) &'static str, pub(crate) &'a mut dyn Injector);

impl Injector for Only<'_> {
    fn set(&mut self, key: &str, value: String) {
        if key == self.0 {
            self.1.set(key, value);
        }
    }
}

struct OnlyBaggage<'a>(&'a dyn Extractor);

impl Extractor for OnlyBaggage<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == BAGGAGE { self.0.get(key) } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![BAGGAGE]
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        if key == BAGGAGE { self.0.get_all(key) } else { None }
    }
}
