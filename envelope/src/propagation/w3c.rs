//! The propagator over all three headers.

use std::sync::LazyLock;

use opentelemetry::{
    Context,
    baggage::{Baggage, BaggageExt},
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{SpanContext, TraceContextExt, TraceState},
};

use super::{
    baggage, carried,
    carried::Carried,
    traceparent::{self, RANDOM, parse_traceparent},
    tracestate, trim_ows,
};
use crate::BaggagePolicy;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// One list of names for each variant, for the whole process: their addresses tell our propagator from
/// any other that has the same names.
static WITH_BAGGAGE: LazyLock<[String; 3]> = LazyLock::new(|| [TRACEPARENT, TRACESTATE, BAGGAGE].map(String::from));
static WITHOUT_BAGGAGE: LazyLock<[String; 2]> = LazyLock::new(|| [TRACEPARENT, TRACESTATE].map(String::from));

/// Carries trace context and baggage in the headers of the W3C, strictly and without loss.
///
/// Reading never fails: what the specification does not allow is ignored whole. An unreadable
/// `traceparent` voids `tracestate`, but not baggage; an unreadable `tracestate` voids itself alone.
/// Two valid `traceparent` headers that differ are no context at all. Several `tracestate` or
/// `baggage` headers are one list.
///
/// Writing leaves out what is not there: no header for an invalid span context, none for an empty
/// `tracestate` or empty baggage.
///
/// A decorator around this propagator needs [`fields`](TextMapPropagator::fields) of its own:
/// `traced` recognises the ones given here and would pass by the decorator.
///
/// # Example
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::{Context, propagation::TextMapPropagator, trace::TraceContextExt};
/// use traced_envelope::propagation::W3cPropagator;
///
/// let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
/// let received = HashMap::from([
///     ("traceparent".to_owned(), traceparent.to_owned()),
///     ("baggage".to_owned(), "user=am%C3%A9lie".to_owned()),
/// ]);
///
/// let propagator = W3cPropagator::new();
/// let context = propagator.extract_with_context(&Context::new(), &received);
/// assert!(context.span().span_context().is_remote());
///
/// let mut sent = HashMap::new();
/// propagator.inject_context(&context, &mut sent);
/// assert_eq!(sent, received);
/// ```
#[derive(Clone, Debug, Default)]
pub struct W3cPropagator {
    without_baggage: bool,
}

/// What there was to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Valid,
    /// No `traceparent`, or an empty one.
    Absent,
    Invalid,
    /// Several, each valid, that differ.
    Conflicting,
}

/// What a message said.
#[derive(Debug)]
pub(crate) struct Extracted {
    /// Invalid unless the finding is [`Finding::Valid`].
    pub(crate) span_context: SpanContext,
    /// Baggage, and what the span context cannot hold. Ours leaves the span out; other propagators put it in.
    pub(crate) context: Context,
    pub(crate) finding: Finding,
}

impl W3cPropagator {
    /// Creates a propagator of `traceparent`, `tracestate` and `baggage`.
    ///
    /// # Example
    ///
    /// ```
    /// use opentelemetry::propagation::TextMapPropagator;
    /// use traced_envelope::propagation::W3cPropagator;
    ///
    /// let propagator = W3cPropagator::new();
    /// assert!(propagator.fields().eq(["traceparent", "tracestate", "baggage"]));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { without_baggage: false }
    }

    /// Creates a propagator of `traceparent` and `tracestate` alone.
    ///
    /// # Example
    ///
    /// ```
    /// use opentelemetry::propagation::TextMapPropagator;
    /// use traced_envelope::propagation::W3cPropagator;
    ///
    /// let propagator = W3cPropagator::without_baggage();
    /// assert!(propagator.fields().eq(["traceparent", "tracestate"]));
    /// ```
    #[must_use]
    pub const fn without_baggage() -> Self {
        Self { without_baggage: true }
    }

    /// Reads a message into an empty context, allocating only for what it finds beside `traceparent`.
    ///
    /// `repeats` says that the carrier may hold a name more than once (Kafka's): only then is
    /// `get_all` called, which allocates. The random flag is not carried, since the caller sees both
    /// spans and can ask [`restore_random`](super::restore_random) whether that is needed.
    pub(crate) fn extract_from(&self, extractor: &dyn Extractor, repeats: bool, policy: &BaggagePolicy) -> Extracted {
        let (span_context, raw, finding) = read_trace(extractor, repeats);
        let mut context = Context::new();
        if raw.is_some() {
            context = context.with_value(Carried { trace_id: span_context.trace_id(), tracestate: raw, random: false });
        }
        if let Some(baggage) = self.read_baggage(extractor, repeats, policy) {
            context = context.with_baggage(baggage);
        }
        Extracted { span_context, context, finding }
    }

    /// Writes a context's span and baggage, allocating one string for each header.
    pub(crate) fn inject_into(&self, context: &Context, injector: &mut dyn Injector, policy: &BaggagePolicy) {
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            let carried = Carried::of(context, span);
            let header = traceparent::format(span, carried::flags(span, carried));
            // Infallible: digits and dashes. The lossy conversion looks at them one by one.
            injector.set(TRACEPARENT, String::from_utf8(header.to_vec()).unwrap_or_default());
            if let Some(header) = carried::tracestate(span, carried) {
                injector.set(TRACESTATE, header);
            }
        }
        if !self.without_baggage
            && let Some(header) = baggage::format(context.baggage(), policy)
        {
            injector.set(BAGGAGE, header);
        }
    }

    fn read_baggage(&self, extractor: &dyn Extractor, repeats: bool, policy: &BaggagePolicy) -> Option<Baggage> {
        if self.without_baggage || policy.is_off() {
            return None;
        }
        let first = extractor.get(BAGGAGE)?;
        if repeats {
            baggage::parse(extractor.get_all(BAGGAGE)?.into_iter(), policy)
        } else {
            baggage::parse(std::iter::once(first), policy)
        }
    }
}

impl TextMapPropagator for W3cPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.inject_into(context, injector, &BaggagePolicy::all());
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let (span_context, raw, finding) = read_trace(extractor, true);
        let mut context = context.clone();
        if finding == Finding::Valid {
            let carried = Carried {
                trace_id: span_context.trace_id(),
                tracestate: raw,
                // Whoever starts the next span does not know of this: carried also where a sampled
                // child would keep the flag, since a sampler may yet drop it.
                random: span_context.trace_flags() & RANDOM == RANDOM,
            };
            // What is left from another extraction would complete this one.
            if carried.random || carried.tracestate.is_some() || context.get::<Carried>().is_some() {
                context = context.with_value(carried);
            }
            context = context.with_remote_span_context(span_context);
        }
        match self.read_baggage(extractor, true, &BaggagePolicy::all()) {
            Some(baggage) => context.with_baggage(baggage),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(if self.without_baggage { WITHOUT_BAGGAGE.as_slice() } else { WITH_BAGGAGE.as_slice() })
    }
}

/// Finds out whether a propagator, known by its trait only, is one of ours.
///
/// By the address of its first field, never by name: the SDK's have the same names. Its size is
/// compared as well, which tells most decorators that pass our fields on.
pub(crate) fn recognise(propagator: &dyn TextMapPropagator) -> Option<W3cPropagator> {
    if size_of_val(propagator) != size_of::<W3cPropagator>() {
        return None;
    }
    let field = propagator.fields().next()?;
    [W3cPropagator::new(), W3cPropagator::without_baggage()].into_iter().find(|ours| {
        let ours = ours.fields().next();
        ours.is_some_and(|ours| std::ptr::eq(ours, field))
    })
}

fn read_trace(extractor: &dyn Extractor, repeats: bool) -> (SpanContext, Option<tracestate::Raw>, Finding) {
    let parsed = if repeats {
        let headers = extractor.get_all(TRACEPARENT).unwrap_or_default();
        read_traceparents(headers.into_iter())
    } else {
        extractor.get(TRACEPARENT).map_or(Err(Finding::Absent), read_traceparent)
    };
    let parent = match parsed {
        Ok(parent) => parent,
        Err(finding) => return (SpanContext::NONE, None, finding),
    };
    // "If the vendor failed to parse traceparent, it MUST NOT attempt to parse tracestate."
    let Some((state, raw)) = read_tracestate(extractor, repeats) else { return (parent, None, Finding::Valid) };
    let span_context = SpanContext::new(parent.trace_id(), parent.span_id(), parent.trace_flags(), true, state);
    (span_context, raw, Finding::Valid)
}

fn read_traceparent(header: &str) -> Result<SpanContext, Finding> {
    match parse_traceparent(header.as_bytes()) {
        Some(context) => Ok(context),
        None if trim_ows(header).is_empty() => Err(Finding::Absent),
        None => Err(Finding::Invalid),
    }
}

fn read_traceparents<'a>(headers: impl Iterator<Item = &'a str>) -> Result<SpanContext, Finding> {
    let mut found = Err(Finding::Absent);
    for header in headers {
        match (read_traceparent(header), &found) {
            (Ok(context), Ok(other)) if context != *other => return Err(Finding::Conflicting),
            (Ok(context), _) => found = Ok(context),
            (Err(Finding::Invalid), Err(_)) => found = Err(Finding::Invalid),
            (Err(_), _) => {}
        }
    }
    found
}

fn read_tracestate(extractor: &dyn Extractor, repeats: bool) -> Option<(TraceState, Option<tracestate::Raw>)> {
    let header = extractor.get(TRACESTATE)?;
    if !repeats {
        return Some(tracestate::parse(std::iter::once(header)));
    }
    let headers = extractor.get_all(TRACESTATE).unwrap_or_default();
    Some(tracestate::parse(headers.iter().copied()))
}

#[cfg(test)]
mod tests;
