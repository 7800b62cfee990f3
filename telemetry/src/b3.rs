//! OpenTelemetry's B3 propagator, without two of its faults.

use crate::baggage::Only;
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_propagator_b3::{B3Encoding, Propagator};
use std::sync::LazyLock;

const SINGLE: &str = "b3";
static SINGLE_FIELD: LazyLock<[String; 1]> = LazyLock::new(|| [SINGLE.to_owned()]);

/// Reads both forms, as B3's specification wants it, and writes one.
///
/// The one that it wraps (0.33.1) writes all headers for [`B3Encoding::SingleHeader`] too, since it asks for a mask of no bits; and
/// without a span it writes "do not sample", so that a service that is not traced would switch off those behind it.
#[derive(Debug)]
pub(crate) struct B3 {
    inner: Propagator,
    single: bool,
}

impl B3 {
    pub(crate) fn single() -> Self {
        Self { inner: Propagator::with_encoding(B3Encoding::SingleHeader), single: true }
    }

    pub(crate) fn multiple() -> Self {
        Self { inner: Propagator::with_encoding(B3Encoding::MultipleHeader), single: false }
    }
}

impl TextMapPropagator for B3 {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        if !context.span().span_context().is_valid() {
            return;
        }
        if self.single {
            self.inner.inject_context(context, &mut Only(SINGLE, injector));
        } else {
            self.inner.inject_context(context, injector);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.inner.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        if self.single { FieldIter::new(&*SINGLE_FIELD) } else { self.inner.fields() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use std::collections::HashMap;

    fn injected(b3: &B3, context: &Context) -> HashMap<String, String> {
        let mut headers = HashMap::new();
        b3.inject_context(context, &mut headers);
        headers
    }

    fn context() -> Context {
        let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
        let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::NONE);
        Context::new().with_remote_span_context(span)
    }

    #[test]
    fn one_form_is_written_and_both_are_read() {
        let (single, multiple) = (injected(&B3::single(), &context()), injected(&B3::multiple(), &context()));
        let expected = "00000000000000000000000000000001-0000000000000002-1";
        assert_eq!(single, HashMap::from([(SINGLE.to_owned(), expected.to_owned())]));
        assert!(multiple.len() == 3 && multiple.keys().all(|name| name.starts_with("x-b3-")), "{multiple:?}");
        for headers in [single, multiple] {
            for b3 in [B3::single(), B3::multiple()] {
                let back = b3.extract_with_context(&Context::new(), &headers);
                assert_eq!(back.span().span_context().span_id(), SpanId::from(2), "{headers:?}");
            }
        }
    }

    #[test]
    fn without_a_span_nobody_is_told_not_to_sample() {
        for b3 in [B3::single(), B3::multiple()] {
            assert!(injected(&b3, &Context::new()).is_empty());
        }
    }
}
