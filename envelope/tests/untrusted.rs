//! What a queue that others can write to lets in: at most a link.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::trace::noop::NoopTracerProvider;
use traced_envelope::propagation::W3cPropagator;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry, Trust};

fn foreign() -> MessageHeaders {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    [("traceparent", traceparent), ("tracestate", "evil=1"), ("baggage", "admin=true")].into_iter().collect()
}

#[test]
fn a_foreign_context_starts_no_trace_of_ours_and_leaves_nothing_but_a_link() {
    for (trust, links) in [(Trust::Untrusted, 1), (Trust::UntrustedUnlinked, 0)] {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("inbox").trust(trust));
        let span = telemetry.process(Operation::new("process", "inbox"), &foreign());
        assert!(span.context().baggage().is_empty(), "{trust:?}");
        span.end(Outcome::Ok);
        let span = capture.span("process inbox");
        assert_ne!(span.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736", "{trust:?}");
        assert_eq!((span.parent_id(), span.links().len()), (None, links), "{trust:?}");
        assert!(span.links().iter().all(|link| link.span_context.trace_state().header().is_empty()), "{trust:?}");
    }
}

#[test]
fn without_an_sdk_or_for_a_filtered_message_a_foreign_context_does_not_pass_through() {
    let capture = Capture::new();
    for settings in [
        Settings::default().propagator(W3cPropagator::new()).tracer_provider(NoopTracerProvider::new()),
        capture.settings("inbox").filter(|_| false),
    ] {
        let telemetry = Telemetry::new("nats", &settings.untrusted());
        let span = telemetry.process(Operation::new("process", "inbox"), &foreign());
        let context = span.context().into_owned();
        assert!(!context.span().span_context().is_valid());
        assert!(context.baggage().is_empty());
        assert!(!telemetry.extract(&foreign()).has_active_span());
        let mut sent = MessageHeaders::new();
        W3cPropagator::new().inject_context(&context, &mut sent);
        assert_eq!(sent, MessageHeaders::new());
    }
}
