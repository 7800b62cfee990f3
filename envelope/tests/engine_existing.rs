//! What becomes of a context that a message carries already when it is sent.

use opentelemetry::propagation::Extractor;
use opentelemetry::trace::SpanKind;
use traced_envelope::testing::Capture;
use traced_envelope::{ExistingContext, MessageHeaders, Operation, Outcome, Propagation, Settings, Telemetry};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn message() -> MessageHeaders {
    [("traceparent", PARENT), ("tracestate", "vendor=1"), ("baggage", "tenant=acme,user=7"), ("x", "own")]
        .into_iter()
        .collect()
}

fn names(headers: &MessageHeaders) -> Vec<&str> {
    headers.iter().map(|(name, _)| name).collect()
}

#[test]
fn a_context_that_is_replaced_becomes_a_link_and_its_stale_headers_go() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let mut headers = message();
    let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
    telemetry.send(operation, &mut headers).end(Outcome::Ok);
    let span = capture.span("publish orders");
    assert_eq!(names(&headers), ["x", "traceparent"], "neither the old tracestate nor the old baggage is left");
    assert!(headers.get("traceparent").unwrap().contains(&span.span_id().to_string()));
    assert_eq!(span.kind(), SpanKind::Producer);
    assert_eq!(span.links()[0].span_context.trace_id().to_string(), TRACE);
}

#[test]
fn a_context_that_is_kept_is_linked_by_a_client_span() {
    for by_setting in [true, false] {
        let capture = Capture::new();
        let policy = if by_setting { ExistingContext::Keep } else { ExistingContext::Replace };
        let telemetry = Telemetry::new("nats", &capture.settings("shop").existing_context(policy));
        let mut headers = message();
        let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
        let operation = if by_setting { operation } else { operation.keep_existing() };
        telemetry.send(operation, &mut headers).end(Outcome::Ok);
        assert_eq!(headers, message(), "untouched");
        let span = capture.span("publish orders");
        assert_eq!((span.kind(), span.links().len()), (SpanKind::Client, 1));
    }
}

#[test]
fn what_cannot_be_read_is_not_kept() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let mut headers: MessageHeaders = [("traceparent", "stale"), ("tracestate", "a=1")].into_iter().collect();
    let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers)).keep_existing();
    telemetry.send(operation, &mut headers).end(Outcome::Ok);
    let span = capture.span("publish orders");
    assert_eq!((span.kind(), span.links().len(), names(&headers)), (SpanKind::Producer, 0, vec!["traceparent"]));
    assert_ne!(headers.get("traceparent"), Some("stale"));
}

#[test]
fn a_message_keeps_its_context_where_there_is_none_to_take_its_place() {
    let shut_down = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    shut_down.shutdown().unwrap();
    let propagator = traced_envelope::propagation::W3cPropagator::new();
    let telemetry = Telemetry::new("nats", &Settings::default().tracer_provider(shut_down).propagator(propagator));
    let mut headers = message();
    let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
    telemetry.send(operation, &mut headers).end(Outcome::Ok);
    assert_eq!(headers, message());
}

/// Whoever writes contexts without reading those of received messages sends on and keeps as everybody else.
#[test]
fn what_a_message_carries_is_known_where_contexts_are_only_written() {
    for (policy, kind, untouched) in
        [(ExistingContext::Keep, SpanKind::Client, true), (ExistingContext::Replace, SpanKind::Producer, false)]
    {
        let capture = Capture::new();
        let settings = capture.settings("shop").propagation(Propagation::InjectOnly).existing_context(policy);
        let telemetry = Telemetry::new("nats", &settings);
        let mut headers = message();
        let operation = Operation::new("publish", "orders").existing(telemetry.existing(&headers));
        telemetry.send(operation, &mut headers).end(Outcome::Ok);
        let span = capture.span("publish orders");
        assert_eq!((span.kind(), span.links().len(), headers == message()), (kind, 1, untouched), "{policy:?}");
    }
}

/// The creation context is the one that consumers see.
#[test]
fn where_nothing_is_written_the_context_of_a_message_stays_and_is_linked() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop").propagation(Propagation::ExtractOnly));
    let mut headers = message();
    let existing = telemetry.existing(&headers);
    assert!(telemetry.kept(&existing).is_some(), "a batch makes no create span for it");
    telemetry.send(Operation::new("publish", "orders").existing(existing), &mut headers).end(Outcome::Ok);
    let span = capture.span("publish orders");
    assert_eq!((span.kind(), span.links().len(), headers), (SpanKind::Client, 1, message()));
}

#[test]
fn a_context_in_another_frameworks_header_is_one_that_the_message_carries() {
    let capture = Capture::new();
    let settings = capture.settings("shop").foreign_traceparents(["parent-id"]);
    let telemetry = Telemetry::new("nats", &settings);
    let mut headers: MessageHeaders = [("Parent-Id", PARENT)].into_iter().collect();
    telemetry
        .send(Operation::new("publish", "orders").existing(telemetry.existing(&headers)), &mut headers)
        .end(Outcome::Ok);
    let span = capture.span("publish orders");
    assert_eq!(span.links()[0].span_context.trace_id().to_string(), TRACE);
    assert_eq!(names(&headers), ["Parent-Id", "traceparent"], "that header is that framework's");
}
