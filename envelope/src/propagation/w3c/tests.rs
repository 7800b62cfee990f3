use std::collections::HashMap;

use opentelemetry::{
    propagation::TextMapCompositePropagator,
    trace::{SpanId, TraceFlags, TraceId, Tracer, TracerProvider},
};
use opentelemetry_sdk::{
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::{Sampler, SdkTracerProvider},
};

use super::*;
use crate::propagation::restore_random;

const ALL: BaggagePolicy = BaggagePolicy::all();
const W3C: W3cPropagator = W3cPropagator::new();
const SPAN: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

type Headers = HashMap<String, String>;

fn headers<const N: usize>(fields: [(&str, &str); N]) -> Headers {
    Headers::from(fields.map(|(key, value)| (key.to_owned(), value.to_owned())))
}

fn traceparent(flags: &str) -> String {
    format!("00-{SPAN}-{flags}")
}

fn injected(context: &Context) -> Headers {
    let mut headers = Headers::new();
    W3C.inject_into(context, &mut headers, &ALL);
    headers
}

/// Fails where a second look is taken at a carrier that has each name once.
struct Single(Headers);

impl Extractor for Single {
    fn get(&self, key: &str) -> Option<&str> {
        Extractor::get(&self.0, key)
    }

    fn keys(&self) -> Vec<&str> {
        unreachable!("keys are not looked at")
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        unreachable!("get_all({key}) allocates")
    }
}

/// Kafka's: the same name with several values.
struct Repeated(&'static [&'static str]);

impl Extractor for Repeated {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.last().copied()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        (key == TRACEPARENT && !self.0.is_empty()).then(|| self.0.to_vec())
    }
}

#[test]
fn a_finding_says_why_there_is_no_context() {
    const A: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const B: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
    for (values, expected) in [
        (&[][..], Finding::Absent),
        (&[""], Finding::Absent),
        (&[" \t", ""], Finding::Absent),
        (&["00"], Finding::Invalid),
        (&["", "00"], Finding::Invalid),
        (&[A], Finding::Valid),
        (&["00", A, "", A], Finding::Valid),
        (&[A, B], Finding::Conflicting),
        (&[A, "00", B, A], Finding::Conflicting),
    ] {
        let extracted = W3C.extract_from(&Repeated(values), true, &ALL);
        assert_eq!(extracted.finding, expected, "{values:?}");
        let valid = extracted.span_context.is_valid();
        assert_eq!(valid, expected == Finding::Valid, "{values:?}");
        assert!(!extracted.context.has_active_span(), "{values:?}");
    }
}

#[test]
fn a_carrier_without_repeats_is_read_once() {
    let (traceparent, state) = (traceparent("01"), "a@@b=1,c=2");
    let carrier = headers([(TRACEPARENT, &traceparent), (TRACESTATE, state), (BAGGAGE, "k=v")]);
    let extracted = W3C.extract_from(&Single(carrier.clone()), false, &ALL);
    assert_eq!(extracted.finding, Finding::Valid);
    assert_eq!(extracted.span_context.trace_state().header(), "c=2");
    let context = extracted.context.with_remote_span_context(extracted.span_context);
    assert_eq!(injected(&context), carrier);
}

#[test]
fn an_unreadable_traceparent_voids_tracestate_but_not_baggage() {
    let carrier = headers([(TRACEPARENT, "00-1-1-1"), (TRACESTATE, "a@@b=1"), (BAGGAGE, "k=v")]);
    let extracted = W3C.extract_from(&carrier, false, &ALL);
    assert_eq!(extracted.span_context, SpanContext::NONE);
    assert!(extracted.context.get::<Carried>().is_none());
    assert_eq!(injected(&extracted.context), headers([(BAGGAGE, "k=v")]));
}

#[test]
fn without_baggage_none_is_read_or_written() {
    let propagator = W3cPropagator::without_baggage();
    let context = propagator.extract_with_context(&Context::new(), &headers([(BAGGAGE, "k=v")]));
    assert!(context.baggage().is_empty());

    let mut carrier = Headers::new();
    let context = W3C.extract_with_context(&Context::new(), &headers([(BAGGAGE, "k=v")]));
    propagator.inject_context(&context, &mut carrier);
    assert_eq!(carrier, headers([]));
}

#[test]
fn the_policy_holds_in_both_directions() {
    let only = BaggagePolicy::only(["a"]);
    let carrier = headers([(BAGGAGE, "a=1,b=2")]);
    let extracted = W3C.extract_from(&carrier, false, &only);
    assert_eq!(injected(&extracted.context), headers([(BAGGAGE, "a=1")]));

    let extracted = W3C.extract_from(&carrier, false, &ALL);
    let mut out = Headers::new();
    W3C.inject_into(&extracted.context, &mut out, &only);
    assert_eq!(out, headers([(BAGGAGE, "a=1")]));
}

#[test]
fn a_context_stays_as_it_is_where_nothing_valid_was_found() {
    let traceparent = traceparent("03");
    let given = headers([(TRACEPARENT, &traceparent), (TRACESTATE, "a@@b=1"), (BAGGAGE, "k=v")]);
    let context = W3C.extract_with_context(&Context::new(), &given);
    for found in [headers([]), headers([(TRACEPARENT, "garbage"), (TRACESTATE, "x=1"), (BAGGAGE, ",;=")])] {
        let context = W3C.extract_with_context(&context, &found);
        assert_eq!(injected(&context), given, "{found:?}");
    }
}

/// Nested instrumentation reads twice into one context; a second message of the same trace must not
/// be sent on with the first one's state.
#[test]
fn one_message_never_completes_another() {
    let (random, plain) = (traceparent("03"), traceparent("01"));
    let first = headers([(TRACEPARENT, &random), (TRACESTATE, "a@@b=1")]);
    let second = headers([(TRACEPARENT, &plain)]);
    let context = W3C.extract_with_context(&Context::new(), &first);
    let context = W3C.extract_with_context(&context, &second);
    assert_eq!(injected(&context), second);
}

#[test]
fn what_is_carried_belongs_to_its_trace() {
    let traceparent = traceparent("03");
    let carrier = headers([(TRACEPARENT, &traceparent), (TRACESTATE, "a@@b=1")]);
    let context = W3C.extract_with_context(&Context::new(), &carrier);
    let other = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, false, TraceState::NONE);
    let sent = injected(&context.with_remote_span_context(other));
    let expected = format!("00-{:032x}-{:016x}-01", 1, 2);
    assert_eq!(sent, headers([(TRACEPARENT, &expected)]));
}

#[test]
fn the_random_flag_is_restored_where_the_sdk_lost_it() {
    for (flags, sampler, expected, added) in [
        ("03", Sampler::AlwaysOn, "03", false),
        ("03", Sampler::AlwaysOff, "02", true),
        ("02", Sampler::ParentBased(Box::new(Sampler::AlwaysOn)), "02", true),
        ("02", Sampler::AlwaysOn, "03", false),
        ("01", Sampler::AlwaysOff, "00", false),
        ("00", Sampler::AlwaysOff, "00", false),
    ] {
        let carrier = headers([(TRACEPARENT, &traceparent(flags)), (TRACESTATE, "a@@b=1")]);
        let Extracted { span_context, context, .. } = W3C.extract_from(&carrier, false, &ALL);
        let parent = context.with_remote_span_context(span_context.clone());
        let provider = SdkTracerProvider::builder().with_sampler(sampler.clone()).build();
        let span = provider.tracer("test").start_with_context("child", &parent);
        let child = opentelemetry::trace::Span::span_context(&span).clone();

        let context = restore_random(context.with_span(span), &span_context);
        let carried = context.get::<Carried>().unwrap();
        assert_eq!(carried.random, added, "{flags} {sampler:?}");
        let sent = injected(&context);
        let expected = format!("00-{}-{}-{expected}", child.trace_id(), child.span_id());
        assert_eq!(sent[TRACEPARENT], expected, "{flags} {sampler:?}");
        assert_eq!(sent[TRACESTATE], "a@@b=1", "{flags} {sampler:?}");

        // A trace of its own is not random because the message's was.
        let root = provider.tracer("test").start_with_context("root", &Context::new());
        let context = restore_random(Context::new().with_span(root), &span_context);
        assert!(context.get::<Carried>().is_none());
    }
}

/// A decorator that passes our fields on.
#[derive(Debug)]
struct Named(W3cPropagator, &'static str);

impl TextMapPropagator for Named {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        injector.set("name", self.1.to_owned());
        self.0.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

#[test]
fn our_propagator_is_recognised_and_no_other() {
    let boxed: Box<dyn TextMapPropagator + Send + Sync> = Box::new(W3C);
    let ours = recognise(&*boxed).unwrap();
    assert!(!ours.without_baggage);
    let ours = recognise(&W3cPropagator::without_baggage()).unwrap();
    assert!(ours.without_baggage);

    let both = TextMapCompositePropagator::new(vec![boxed, Box::new(BaggagePropagator::new())]);
    let others: [&dyn TextMapPropagator; 5] = [
        &TraceContextPropagator::new(),
        &BaggagePropagator::new(),
        &both,
        &TextMapCompositePropagator::new(vec![]),
        &Named(W3C, "decorator"),
    ];
    for other in others {
        assert!(recognise(other).is_none(), "{other:?}");
    }
}

/// What a carrier of borrowed text costs: the propagator's own allocations are all there are.
#[test]
fn the_fast_path_allocates_for_what_it_keeps_only() {
    struct Borrowed(&'static str, Option<&'static str>);

    impl Extractor for Borrowed {
        fn get(&self, key: &str) -> Option<&str> {
            match key {
                TRACEPARENT => Some(self.0),
                TRACESTATE => self.1,
                _ => None,
            }
        }

        fn keys(&self) -> Vec<&str> {
            vec![]
        }
    }

    struct Discarding;

    impl Injector for Discarding {
        fn set(&mut self, _: &str, _: String) {}
    }

    const RANDOM_AND_NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02";
    let allocations = |what: &mut dyn FnMut()| allocation_counter::measure(what).count_total;
    let extract = |carrier: &Borrowed| W3C.extract_from(carrier, false, &ALL);
    let inject = |context: &Context| W3C.inject_into(context, &mut Discarding, &ALL);

    let carrier = Borrowed(RANDOM_AND_NOT_SAMPLED, None);
    assert_eq!(allocations(&mut || drop(extract(&carrier))), 0);
    assert_eq!(allocations(&mut || drop(extract(&Borrowed("00", None)))), 0);
    let invalid = Borrowed(RANDOM_AND_NOT_SAMPLED, Some("no list"));
    assert_eq!(allocations(&mut || drop(extract(&invalid))), 0);
    // The API's deque with two strings.
    let with_state = Borrowed(RANDOM_AND_NOT_SAMPLED, Some("a=1"));
    assert_eq!(allocations(&mut || drop(extract(&with_state))), 3);

    let extracted = extract(&carrier);
    let context = extracted.context.with_remote_span_context(extracted.span_context);
    assert_eq!(allocations(&mut || inject(&context)), 1);
    let mut baggage = Baggage::new();
    baggage.insert("b", "a value");
    baggage.insert_with_metadata("a", "ü", "ttl=3");
    let context = context.with_baggage(baggage);
    assert_eq!(allocations(&mut || inject(&context)), 2);
    let context = context.with_cleared_baggage();
    assert_eq!(allocations(&mut || inject(&context)), 1);
    assert_eq!(allocations(&mut || assert!(recognise(&W3C).is_some())), 0);
}
