//! Which context a message gets, which one a handler gets, and who decides.

use futures_util::FutureExt;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, TextMapCompositePropagator};
use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use std::time::{Duration, SystemTime};
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_envelope::{
    BaggagePolicy, MessageHeaders, Operation, Outcome, Propagation, Relation, Settings, Telemetry, Trust,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn message() -> MessageHeaders {
    [("traceparent", PARENT), ("tracestate", "vendor=1"), ("baggage", "tenant=acme,user=7"), ("x", "own")]
        .into_iter()
        .collect()
}

fn process(settings: &Settings) -> (Context, MessageHeaders) {
    let telemetry = Telemetry::new("nats", settings);
    let span = telemetry.process(Operation::new("process", "orders"), &message());
    let context = span.context().into_owned();
    span.end(Outcome::Ok);
    (context, message())
}

fn tenant(context: &Context) -> Option<String> {
    context.baggage().get("tenant").map(ToString::to_string)
}

/// Parent or not, and how many links.
fn relation(span: &CapturedSpan) -> (bool, usize) {
    (span.parent_id().is_some(), span.links().len())
}

#[test]
fn contexts_travel_only_the_ways_that_are_on() {
    for (mode, injects, extracts) in [
        (Propagation::InjectAndExtract, true, true),
        (Propagation::InjectOnly, true, false),
        (Propagation::ExtractOnly, false, true),
        (Propagation::Off, false, false),
    ] {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("shop").propagation(mode));
        let mut sent = MessageHeaders::new();
        telemetry.send(Operation::new("publish", "orders"), &mut sent).end(Outcome::Ok);
        assert_eq!(sent.get("traceparent").is_some(), injects, "{mode:?}");
        telemetry.process(Operation::new("process", "orders"), &message()).end(Outcome::Ok);
        let continued = capture.span("process orders").trace_id().to_string() == TRACE;
        assert_eq!(continued, extracts, "{mode:?}");
        let missing = capture.metrics().iter().any(|metric| metric.name() == "traced.context.missing");
        assert!(!missing, "{mode:?}: who does not look does not miss");
        assert_eq!(telemetry.extract(&message()).has_active_span(), extracts, "{mode:?}");
    }
}

#[test]
fn an_untrusted_queue_starts_traces_and_brings_neither_state_nor_baggage() {
    for (trust, links) in [(Trust::Untrusted, 1), (Trust::UntrustedUnlinked, 0)] {
        let capture = Capture::new();
        let settings =
            capture.settings("shop").relation(Relation::Parent).relation_with(|_| Relation::Parent).trust(trust);
        let (context, _) = process(&settings);
        let span = capture.span("process orders");
        assert_eq!(relation(&span), (false, links), "{trust:?}");
        assert_ne!(span.trace_id().to_string(), TRACE);
        assert!(context.baggage().is_empty());
        assert!(span.links().iter().all(|link| link.span_context.trace_state().header().is_empty()));
        assert!(span.trace_state().header().is_empty());
    }
}

#[test]
fn a_batch_from_an_untrusted_queue_does_not_even_join_the_traces_around_it() {
    let capture = Capture::new();
    let settings = capture.settings("shop").untrusted().relation(Relation::Link);
    let telemetry = Telemetry::new("nats", &settings);
    capture.tracer("shop").in_span("loop", |_| {
        let headers = message();
        let batch = [(&headers as &dyn Extractor, Vec::new())];
        telemetry.process_batch(Operation::new("process", "orders").batch(1), batch).end(Outcome::Ok);
    });
    assert_eq!(relation(&capture.span("process orders")), (false, 1));
}

#[test]
fn closures_go_before_destinations_which_go_before_the_setting() {
    let base = |capture: &Capture| capture.settings("shop").relation(Relation::New);
    for (which, expected) in [(0, (false, 1)), (1, (true, 1)), (2, (false, 0))] {
        let capture = Capture::new();
        let mut settings = base(&capture);
        if which >= 1 {
            settings = settings.relation_for("ord*", Relation::Parent).relation_for("orders", Relation::New);
        }
        if which >= 2 {
            settings = settings.relation_with(|message| {
                assert_eq!((message.destination(), message.header("x")), ("orders", Some("own")));
                Relation::Ignore
            });
        }
        process(&settings);
        assert_eq!(relation(&capture.span("process orders")), expected, "{which}");
    }
}

#[test]
fn closures_see_the_facts_of_a_message() {
    let capture = Capture::new();
    let settings = capture.settings("shop").old_after(Duration::from_secs(5)).relation_with(|message| {
        assert_eq!((message.operation(), message.attempt(), message.redelivered()), ("process", 3, true));
        assert!(message.is_old() && message.age() >= Duration::from_secs(9));
        Relation::New
    });
    let operation = Operation::new("process", "orders")
        .attempt(3)
        .redelivered(true)
        .sent_at(SystemTime::now() - Duration::from_secs(9));
    Telemetry::new("nats", &settings).process(operation, &message()).end(Outcome::Ok);
    assert_eq!(relation(&capture.span("process orders")), (false, 1));
}

/// Such a propagator leaves the message's span in the context; a span that was to start a trace became its child.
#[test]
fn relations_hold_with_every_propagator_and_baggage_is_kept_in_all_of_them() {
    let sdks = || -> TextMapCompositePropagator {
        TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ])
    };
    for foreign in [false, true] {
        for (chosen, expected) in [
            (Relation::Auto, (true, 1)),
            (Relation::Parent, (true, 1)),
            (Relation::Link, (false, 1)),
            (Relation::New, (false, 1)),
            (Relation::Ignore, (false, 0)),
        ] {
            let capture = Capture::new();
            let settings = capture.settings("shop").relation(chosen);
            let settings = if foreign { settings.propagator(sdks()) } else { settings };
            let (context, _) = process(&settings);
            let span = capture.span("process orders");
            assert_eq!(relation(&span), expected, "{chosen:?}, foreign: {foreign}");
            assert_eq!(span.trace_id().to_string() == TRACE, expected.0, "{chosen:?}, foreign: {foreign}");
            assert_eq!(tenant(&context).as_deref(), Some("acme"), "{chosen:?}, foreign: {foreign}");
        }
    }
}

#[test]
fn the_loop_around_a_consumer_is_never_the_parent_and_a_pull_is_inside_its_caller() {
    let capture = Capture::new();
    let tracer = capture.tracer("shop");
    let before = Telemetry::new("nats", &capture.settings("shop"));
    tracer.in_span("loop", |context| {
        let own = context.span().span_context().span_id();
        let inside = Telemetry::new("nats", &capture.settings("shop"));
        let start = |telemetry: &Telemetry, name| {
            telemetry.process(Operation::new(name, "orders"), &message()).end(Outcome::Ok)
        };
        start(&inside, "inside");
        start(&before, "before");
        before.process(Operation::new("get", "orders").pulled(true), &message()).end(Outcome::Ok);
        let links =
            |name| capture.span(name).links().iter().map(|link| link.span_context.span_id()).collect::<Vec<_>>();
        assert!(!links("inside orders").contains(&own));
        assert!(links("before orders").contains(&own));
        assert_ne!(capture.span("before orders").parent_id(), Some(own));
        assert_eq!(capture.span("get orders").parent_id(), Some(own));
        assert_eq!(capture.span("get orders").links().len(), 1);
    });
}

#[test]
fn filtered_messages_have_no_telemetry_but_their_context_passes_through() {
    let capture = Capture::new();
    let settings = capture.settings("shop").settle_spans(true).filter(|message| message.destination() != "orders");
    let telemetry = Telemetry::new("nats", &settings);
    let (context, _) = process(&settings);
    assert_eq!(context.span().span_context().trace_id().to_string(), TRACE);
    assert_eq!(tenant(&context).as_deref(), Some("acme"));
    let guard = context.attach();
    let mut headers = MessageHeaders::new();
    telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
    assert_eq!((headers.get("traceparent"), headers.get("tracestate")), (Some(PARENT), Some("vendor=1")));
    let mut headers = MessageHeaders::new();
    let span = telemetry.send_batch(Operation::new("publish", "orders").batch(2), []);
    span.inject(&mut headers);
    span.end(Outcome::Ok);
    assert_eq!(headers.get("traceparent"), Some(PARENT));
    telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    drop(guard);
    assert!(capture.spans().is_empty() && capture.metrics().is_empty());
    telemetry.settle(Operation::new("ack", "others"), []).end(Outcome::Ok);
    assert_eq!(capture.spans().len(), 1);
}

#[test]
fn what_is_switched_off_does_nothing() {
    let capture = Capture::new();
    let settings = capture.settings("shop").enabled(false).settle_spans(true).receive_spans(true);
    let telemetry = Telemetry::new("nats", &settings);
    let mut headers = message();
    let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
    telemetry.send(operation, &mut headers).end(Outcome::Ok);
    telemetry.create(Operation::new("create", "orders"), &mut headers).end(Outcome::Ok);
    telemetry.send_batch(Operation::new("publish", "orders").batch(1), []).inject(&mut headers);
    assert_eq!(headers, message());
    let span = telemetry.process(Operation::new("process", "orders"), &headers);
    span.in_scope(|| {
        assert!(!Context::current().has_active_span());
        Err::<(), _>(std::fmt::Error)
    })
    .unwrap_err();
    telemetry.process_batch(Operation::new("process", "orders").batch(0), []).end(Outcome::Ok);
    telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    telemetry.receive(Operation::new("poll", "orders"), SystemTime::now(), []).end(Outcome::Ok);
    assert!(capture.spans().is_empty() && capture.metrics().is_empty() && capture.open_spans().is_empty());
}

/// An error may be costly to put into words, and may fail at it.
#[test]
fn an_error_is_put_into_words_only_where_somebody_reads_them() {
    #[derive(Debug)]
    struct Costly;
    impl std::fmt::Display for Costly {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("nobody asked")
        }
    }
    let capture = Capture::new();
    for settings in [capture.settings("shop").enabled(false), capture.settings("shop").filter(|_| false)] {
        let telemetry = Telemetry::new("nats", &settings);
        let process = || telemetry.process(Operation::new("process", "orders"), &message());
        assert!(process().in_scope(|| Err::<(), _>(Costly)).is_err());
        assert!(process().run(async { Err::<(), _>(Costly) }).now_or_never().is_some_and(|result| result.is_err()));
    }
    assert!(capture.spans().is_empty());
}

#[test]
fn suppressed_telemetry_sends_nothing_and_the_handler_keeps_it() {
    let capture = Capture::new();
    let settings = capture.settings("shop").settle_spans(true).receive_spans(true);
    let telemetry = Telemetry::new("nats", &settings);
    let guard = Context::enter_telemetry_suppressed_scope();
    let mut headers = MessageHeaders::new();
    telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
    let batch = telemetry.send_batch(Operation::new("publish", "orders").batch(1), []);
    batch.inject(&mut headers);
    batch.end(Outcome::Ok);
    telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    telemetry.receive(Operation::new("poll", "orders"), SystemTime::now(), []).end(Outcome::Ok);
    let single = telemetry.process(Operation::new("process", "orders"), &message());
    let many = telemetry.process_batch(Operation::new("process", "orders").batch(0), []);
    drop(guard);
    assert_eq!(headers, MessageHeaders::new());
    for span in [single, many] {
        // The handler may run later, and elsewhere.
        span.in_scope(|| {
            assert!(Context::is_current_telemetry_suppressed());
            telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
            Ok::<_, std::fmt::Error>(())
        })
        .unwrap();
    }
    assert_eq!(headers, MessageHeaders::new());
    assert!(capture.spans().is_empty() && capture.metrics().is_empty());
}

#[test]
fn baggage_passes_as_far_as_the_policy_lets_it_in_both_directions() {
    for (policy, expected) in [
        (BaggagePolicy::all(), Some("tenant=acme,user=7")),
        (BaggagePolicy::only(["tenant"]), Some("tenant=acme")),
        (BaggagePolicy::off(), None),
    ] {
        for foreign in [false, true] {
            let capture = Capture::new();
            let mut settings = capture.settings("shop").baggage(policy.clone());
            if foreign {
                settings = settings.propagator(BaggagePropagator::new());
            }
            let (context, _) = process(&settings);
            assert_eq!(context.baggage().len(), expected.map_or(0, |header| header.split(',').count()), "{policy:?}");
            let all = [KeyValue::new("tenant", "acme"), KeyValue::new("user", "7")];
            let guard = Context::current_with_baggage(all).attach();
            let mut headers = MessageHeaders::new();
            let telemetry = Telemetry::new("nats", &settings);
            telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
            drop(guard);
            let mut members: Vec<_> = headers.get("baggage").unwrap_or_default().split(',').collect();
            members.sort_unstable();
            assert_eq!(members.join(","), expected.unwrap_or_default(), "{policy:?}, foreign: {foreign}");
        }
    }
}

#[test]
fn baggage_of_one_message_does_not_leak_into_the_next() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry
        .process(Operation::new("process", "orders"), &message())
        .in_scope(|| Ok::<_, std::fmt::Error>(()))
        .unwrap();
    let next = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    assert!(next.context().baggage().is_empty());
    assert!(Context::current().baggage().is_empty());
}
