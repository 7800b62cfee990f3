//! The assertions of a capture fail when they should, and say why.
#![cfg(feature = "testing")]

mod testing_order;

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{Span, SpanContext, TraceContextExt, TraceState, Tracer},
};
use testing_order::{ORDER, message, order};
use traced_envelope::testing::Capture;

#[test]
fn the_text_of_a_forest_is_an_expectation_that_it_meets() {
    let capture = Capture::new();
    order(&capture, true);
    order(&capture, false);
    capture.assert_trace(&capture.forest().to_string());
}

#[test]
fn a_failed_comparison_prints_both_traces_and_marks_the_difference() {
    let capture = Capture::new();
    order(&capture, true);
    let _open = capture.tracer("shop").start("forgotten");
    let message = message(|| capture.assert_trace(ORDER));
    let expected = "the captured trace is not the expected one

expected:
  checkout                shop       INTERNAL
  └─ publish orders       shop       PRODUCER  {messaging.system=rabbitmq}
     └─ process orders    warehouse  CONSUMER  → publish orders
        └─ reserve stock  warehouse  INTERNAL

captured:
  checkout                shop       INTERNAL
  └─ publish orders       shop       PRODUCER
     └─ process orders    warehouse  CONSUMER  → publish orders  ✗ OutOfStock
        └─ reserve stock  warehouse  INTERNAL

difference (- expected, + captured):
  checkout                shop       INTERNAL
     publish orders       shop       PRODUCER  {messaging.system=rabbitmq}
-       process orders    warehouse  CONSUMER  → publish orders
+       process orders    warehouse  CONSUMER  → publish orders  ✗ OutOfStock
           reserve stock  warehouse  INTERNAL

still open, so not compared:
  forgotten  shop  INTERNAL  trace ";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn nothing_captured_is_not_what_was_expected() {
    let message = message(|| Capture::new().assert_trace("checkout  shop  INTERNAL"));
    assert!(message.contains("captured:\n  (none)"), "{message}");
    Capture::new().assert_trace("");
}

#[test]
fn an_expectation_that_cannot_be_read_names_its_line() {
    let message = message(|| Capture::new().assert_trace("\n  checkout  shop\n"));
    assert!(message.starts_with("line 2 of the expected trace cannot be read"), "{message}");
}

#[test]
fn two_traces_are_not_one_and_neither_is_none() {
    let capture = Capture::new();
    let none = message(|| capture.assert_one_trace());
    assert!(none.starts_with("expected one trace, captured 0"), "{none}");
    order(&capture, false);
    capture.tracer("reports").in_span("nightly", |_| ());
    let two = message(|| capture.assert_one_trace());
    let id = capture.span("nightly").trace_id();
    assert!(two.starts_with("expected one trace, captured 2"), "{two}");
    assert!(two.contains(&format!("trace {id}:\n  nightly  reports  INTERNAL\n")), "{two}");
}

#[test]
fn an_open_span_is_reported() {
    let capture = Capture::new();
    let mut span = capture.tracer("shop").start("checkout");
    let message = message(|| capture.assert_no_open_spans());
    assert!(message.contains("1 have not ended:\n  checkout  shop  INTERNAL"), "{message}");
    span.end();
    capture.assert_no_open_spans();
}

#[test]
fn a_span_must_be_the_only_one_of_its_name() {
    let capture = Capture::new();
    order(&capture, false);
    order(&capture, false);
    let twice = message(|| capture.span("checkout"));
    assert!(twice.starts_with("expected one span named \"checkout\", captured 2"), "{twice}");
    let never = message(|| capture.span("cash"));
    assert!(never.contains("captured 0\nended:\n  publish orders  shop  PRODUCER"), "{never}");
}

#[test]
fn a_child_whose_parent_is_still_open_is_marked() {
    let capture = Capture::new();
    let tracer = capture.tracer("shop");
    let cx = Context::new().with_span(tracer.start("checkout"));
    tracer.start_with_context("pay", &cx).end();
    capture.assert_trace("pay  shop  INTERNAL  ⇠ missing parent");
    cx.span().end();
    capture.assert_trace("checkout  shop  INTERNAL\n  pay  shop  INTERNAL");
}

#[test]
fn a_parent_from_elsewhere_makes_a_marked_root() {
    let capture = Capture::new();
    let remote = SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::SAMPLED, true, TraceState::NONE);
    let cx = Context::new().with_remote_span_context(remote);
    capture.tracer("shop").start_with_context("process", &cx).end();
    capture.assert_trace("process  shop  INTERNAL  ⇠ remote parent");
    assert!(message(|| capture.assert_trace("process  shop  INTERNAL")).contains("⇠ remote parent"));
}
