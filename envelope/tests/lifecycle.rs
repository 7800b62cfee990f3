//! The life cycle of spans as a state machine: whatever is done to them in whatever order, each ends once and as it should, each is
//! counted once, and no context is left attached.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "clippy.toml's exceptions for tests do not reach the functions that tests share"
)]

mod lifecycle_machine;

use lifecycle_machine::{Expected, Machine, current, step};
use opentelemetry::trace::{SpanId, Status};
use proptest::prelude::*;
use traced_envelope::Telemetry;
use traced_envelope::testing::Capture;

fn check(capture: &Capture, expected: &[Expected]) {
    let spans = capture.spans();
    assert_eq!(spans.len(), expected.len(), "each span ends once");
    assert!(capture.open_spans().is_empty());
    for expected in expected {
        let span = spans.iter().find(|span| span.span_id() == expected.id).expect("it was captured");
        let error = expected.ended.expect("it has ended").err();
        assert_eq!(span.name(), format!("{} orders", expected.operation));
        assert_eq!(span.parent_id(), expected.parent, "{expected:?}");
        assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), error, "{expected:?}");
        assert_eq!(matches!(span.status(), Status::Error { .. }), error.is_some(), "{expected:?}");
        assert!(span.end() >= span.start());
    }
    for (metric, operation) in [
        ("messaging.client.sent.messages", "publish"),
        ("messaging.client.consumed.messages", "process"),
        ("messaging.process.duration", "process"),
        ("messaging.client.operation.duration", "publish"),
        ("messaging.client.operation.duration", "ack"),
    ] {
        for error in [None, Some("failed"), Some("panic"), Some("cancelled"), Some("timeout")] {
            let operations = expected
                .iter()
                .filter(|it| it.operation == operation && it.ended == Some(error.map_or(Ok(()), Err)))
                .count();
            let series = capture.metrics().into_iter().filter(|series| {
                series.name() == metric
                    && series.attribute("messaging.operation.name").is_some_and(|name| name.as_str() == operation)
                    && series.attribute("error.type").map(ToString::to_string).as_deref() == error
            });
            let counted: f64 = series.map(|series| series.count().map_or(series.value(), |count| count as f64)).sum();
            assert_eq!(counted, operations as f64, "{metric} of {operation} with {error:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_span_ends_once_and_no_context_is_left_attached(
        steps in proptest::collection::vec(step(), 1..60),
        limit in 1..5_usize,
        expires_at_once in proptest::bool::weighted(0.2),
    ) {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("shop").settle_spans(true));
        let mut machine = Machine::new(telemetry, limit, expires_at_once);
        let hook = silence();
        for step in steps {
            machine.step(step);
            prop_assert_eq!(current(), SpanId::INVALID, "no context is left attached");
        }
        let expected = machine.finish();
        drop(hook);
        prop_assert_eq!(current(), SpanId::INVALID);
        check(&capture, &expected);
    }
}

/// Keeps the panics that the handlers are told to make out of the output.
fn silence() -> impl Drop {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                drop(std::panic::take_hook());
            }
        }
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"as it was told") {
            before(info);
        }
    }));
    Restore
}
