//! Which propagator is in use, and how it is driven.

use crate::BaggagePolicy;
use crate::propagation::{Extracted, Finding, W3cPropagator, recognise};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, global};
use std::sync::{Arc, LazyLock, OnceLock};

/// Longer header values are not shown to a propagator that is not ours: the W3C's longest `tracestate` has 16 KiB.
const LONGEST_VALUE: usize = 16 * 1024;

#[derive(Debug)]
enum Choice {
    /// Ours, driven on bytes.
    Ours(W3cPropagator),
    /// One that was given.
    Given(Arc<dyn TextMapPropagator + Send + Sync>),
    /// The process-wide one.
    Global,
}

static OURS: LazyLock<Choice> = LazyLock::new(|| Choice::Ours(W3cPropagator::new()));

/// The propagator that was given, else the process-wide one once there is one, else ours.
#[derive(Debug, Default)]
pub(crate) struct Propagators(OnceLock<Choice>);

impl Propagators {
    pub(crate) fn new(given: Option<Arc<dyn TextMapPropagator + Send + Sync>>) -> Self {
        given.map_or_else(Self::default, |given| {
            Self(OnceLock::from(recognise(&*given).map_or(Choice::Given(given), Choice::Ours)))
        })
    }

    /// Until the application has installed a propagator, each message looks again. One that is installed has fields; the stand-in
    /// has none.
    fn choice(&self) -> &Choice {
        if let Some(choice) = self.0.get() {
            return choice;
        }
        let installed = global::get_text_map_propagator(|propagator| {
            propagator.fields().next()?;
            Some(recognise(propagator).map_or(Choice::Global, Choice::Ours))
        });
        installed.map_or(&OURS, |choice| self.0.get_or_init(|| choice))
    }

    /// Reads what a message carries. Never into the current context: a message without a context would then become a child of the
    /// consumer's own loop.
    pub(crate) fn extract(&self, headers: &dyn Extractor, repeats: bool, baggage: &BaggagePolicy) -> Extracted {
        match self.choice() {
            Choice::Ours(ours) => ours.extract_from(headers, repeats, baggage),
            Choice::Given(given) => extract_with(&**given, headers, baggage),
            Choice::Global => global::get_text_map_propagator(|installed| extract_with(installed, headers, baggage)),
        }
    }

    pub(crate) fn inject(&self, context: &Context, headers: &mut dyn Injector, baggage: &BaggagePolicy) {
        let inject_with =
            |propagator: &dyn TextMapPropagator, headers: &mut dyn Injector| match baggage.reduce(context.baggage()) {
                Some(reduced) => propagator.inject_context(&context.with_baggage(reduced), headers),
                None => propagator.inject_context(context, headers),
            };
        match self.choice() {
            Choice::Ours(ours) => ours.inject_into(context, headers, baggage),
            Choice::Given(given) => inject_with(&**given, headers),
            Choice::Global => global::get_text_map_propagator(|installed| inject_with(installed, headers)),
        }
    }

    /// Removes every field of the propagator, by the empty value that our carriers take as "none".
    pub(crate) fn clear(&self, headers: &mut dyn Injector) {
        self.each_field(&mut |field| headers.set(field, String::new()));
    }

    pub(crate) fn any_field_in(&self, headers: &dyn Extractor) -> bool {
        let mut found = false;
        self.each_field(&mut |field| found |= headers.get(field).is_some());
        found
    }

    pub(crate) fn has_field(&self, name: &str) -> bool {
        let mut found = false;
        self.each_field(&mut |field| found |= field.eq_ignore_ascii_case(name));
        found
    }

    /// Whether a field of a context is there but is no text: such as a number, or bytes that are not UTF-8. A propagator cannot tell that
    /// from one that is not there; an operator who looks for the hop that breaks traces must.
    pub(crate) fn unreadable_in(&self, headers: &dyn Extractor) -> bool {
        let names = headers.keys();
        let mut found = false;
        self.each_field(&mut |field| {
            found |= field != "baggage"
                && names.iter().any(|name| name.eq_ignore_ascii_case(field))
                && headers.get(field).is_none();
        });
        found
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str)) {
        match self.choice() {
            Choice::Ours(ours) => ours.fields().for_each(visit),
            Choice::Given(given) => given.fields().for_each(visit),
            Choice::Global => global::get_text_map_propagator(|installed| installed.fields().for_each(&mut *visit)),
        }
    }
}

fn extract_with(propagator: &dyn TextMapPropagator, headers: &dyn Extractor, baggage: &BaggagePolicy) -> Extracted {
    let mut context = propagator.extract_with_context(&Context::new(), &Bounded(headers));
    let span_context = context.span().span_context().clone();
    if let Some(reduced) = baggage.reduce(context.baggage()) {
        context = context.with_baggage(reduced);
    }
    let finding = if span_context.is_valid() {
        Finding::Valid
    } else if propagator.fields().any(|field| field != "baggage" && headers.get(field).is_some()) {
        Finding::Invalid
    } else {
        Finding::Absent
    };
    Extracted { span_context, context, finding }
}

/// Hides values that are too long to be read.
struct Bounded<'a>(&'a dyn Extractor);

impl Extractor for Bounded<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).filter(|value| value.len() <= LONGEST_VALUE)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys()
    }

    fn get_all(&self, name: &str) -> Option<Vec<&str>> {
        let mut values = self.0.get_all(name)?;
        values.retain(|value| value.len() <= LONGEST_VALUE);
        Some(values).filter(|values| !values.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header that is there but is no text.
    struct Number(&'static str);

    impl Extractor for Number {
        fn get(&self, _: &str) -> Option<&str> {
            None
        }

        fn keys(&self) -> Vec<&str> {
            vec![self.0]
        }
    }

    /// A number in `traceparent` was counted as a message without a context, which sends whoever looks for the fault to the wrong hop.
    #[test]
    fn a_context_that_is_no_text_is_told_from_one_that_is_not_there() {
        let propagators = Propagators::default();
        for (name, unreadable) in [("traceparent", true), ("TraceParent", true), ("tenant", false), ("baggage", false)]
        {
            assert_eq!(propagators.unreadable_in(&Number(name)), unreadable, "{name}");
        }
        let empty: crate::MessageHeaders = [("traceparent", "")].into_iter().collect();
        assert!(!propagators.unreadable_in(&empty));
    }
}
