//! Without an SDK contexts and baggage pass through: nothing process-wide is installed here.

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceContextExt;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Relation, Settings, Status, Telemetry};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";

fn message() -> MessageHeaders {
    [("traceparent", PARENT), ("tracestate", "a@@b=1,c=2"), ("baggage", "tenant=acme")].into_iter().collect()
}

fn sorted(headers: &MessageHeaders) -> Vec<(&str, &str)> {
    let mut headers: Vec<_> = headers.iter().collect();
    headers.sort_unstable();
    headers
}

#[test]
fn what_a_message_brings_is_current_in_the_handler_and_goes_out_with_what_it_sends() {
    for relation in [Relation::Auto, Relation::Link, Relation::New, Relation::Ignore] {
        let telemetry = Telemetry::new("nats", &Settings::default().relation(relation));
        let span = telemetry.process(Operation::new("process", "orders"), &message());
        assert_eq!(span.span_context(), None, "no span of ours");
        let mut sent = MessageHeaders::new();
        span.in_scope(|| {
            assert!(Context::current().baggage().get("tenant").is_some());
            telemetry.send(Operation::new("publish", "parcels"), &mut sent).end(Outcome::Ok);
            Ok::<_, std::fmt::Error>(())
        })
        .unwrap();
        assert_eq!(sorted(&sent), sorted(&message()), "{relation:?}");
        assert_eq!(telemetry.status(), Status::NoSdk { messages: 2 });
    }
    assert!(!Context::current().has_active_span());
}

#[test]
fn a_message_without_a_context_gets_none() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    let mut sent = MessageHeaders::new();
    let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    let send = || {
        telemetry.send(Operation::new("publish", "orders"), &mut sent).end(Outcome::Ok);
        Ok::<_, std::fmt::Error>(())
    };
    span.in_scope(send).unwrap();
    assert_eq!(sent, MessageHeaders::new());
}

#[test]
fn a_forwarded_message_keeps_its_own_context_where_nothing_is_current() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    let mut headers = message();
    let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
    telemetry.send(operation, &mut headers).end(Outcome::Ok);
    assert_eq!(headers, message());
}

#[test]
fn our_propagator_is_used_as_long_as_none_is_installed() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    assert!(telemetry.extract(&message()).span().span_context().is_valid());
}

#[test]
fn errors_and_panics_pass_through_too() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    let start = || telemetry.process(Operation::new("process", "orders"), &message());
    assert_eq!(start().in_scope(|| Err::<(), _>(std::fmt::Error)), Err(std::fmt::Error));
    let panics = || -> Result<(), std::fmt::Error> { panic!("as it was told") };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| start().in_scope(panics))).is_err());
    assert!(!Context::current().has_active_span());
}

#[test]
fn batches_carry_no_context_and_their_messages_get_the_current_one() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    let headers = message();
    let batch = [(&headers as &dyn Extractor, Vec::new())];
    let span = telemetry.process_batch(Operation::new("process", "orders").batch(1), batch);
    assert!(!span.context().has_active_span());
    let _current = telemetry.extract(&message()).attach();
    let mut sent = MessageHeaders::new();
    telemetry.send_batch(Operation::new("publish", "orders").batch(1), []).inject(&mut sent);
    assert_eq!(sorted(&sent), sorted(&message()));
}

#[test]
fn metrics_are_counted_all_the_same() {
    let capture = Capture::new();
    let settings = Settings::default().meter_provider(capture.meter_provider("shop"));
    let telemetry = Telemetry::new("nats", &settings);
    telemetry.process(Operation::new("process", "orders"), &message()).end(Outcome::error("failed", "why"));
    let counted = capture.metric("messaging.client.consumed.messages");
    assert_eq!((counted.value(), counted.attribute("error.type")), (1.0, Some(&"failed".into())));
}

#[test]
fn an_sdk_that_was_shut_down_lets_contexts_pass() {
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let telemetry = Telemetry::new("nats", &Settings::default().tracer_provider(provider.clone()));
    telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    provider.shutdown().unwrap();
    for _ in 0..20 {
        let mut sent = MessageHeaders::new();
        let span = telemetry.process(Operation::new("process", "orders"), &message());
        let send = || {
            telemetry.send(Operation::new("publish", "orders"), &mut sent).end(Outcome::Ok);
            Ok::<_, std::fmt::Error>(())
        };
        span.in_scope(send).unwrap();
        assert_eq!(sorted(&sent), sorted(&message()));
    }
    assert_eq!(telemetry.status(), Status::Active, "it was seen");
}
