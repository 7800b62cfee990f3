//! Failures as log events of the conventions, tied to the span.
#![cfg(feature = "logs")]

use opentelemetry::Key;
use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use std::time::SystemTime;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, MessageSpan, Operation, Outcome, Telemetry};

fn logged(
    settings: impl FnOnce(traced_envelope::Settings) -> traced_envelope::Settings,
) -> (Capture, Telemetry, InMemoryLogExporter) {
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let capture = Capture::new();
    let asked = capture.settings("shop").settle_spans(true).receive_spans(true).logger_provider(provider);
    let telemetry = Telemetry::scoped("nats", "traced-test", "1.2.3", &settings(asked));
    (capture, telemetry, exporter)
}

fn starts(telemetry: &Telemetry) -> [(&'static str, Severity, MessageSpan); 5] {
    let mut headers = MessageHeaders::new();
    [
        ("create", Severity::Warn, telemetry.create(Operation::new("create", "orders"), &mut headers)),
        ("send", Severity::Warn, telemetry.send(Operation::new("publish", "orders"), &mut headers)),
        ("receive", Severity::Warn, telemetry.receive(Operation::new("poll", "orders"), SystemTime::now(), [])),
        ("settle", Severity::Warn, telemetry.settle(Operation::new("ack", "orders"), [])),
        ("process", Severity::Error, telemetry.process(Operation::new("process", "orders"), &headers)),
    ]
}

#[test]
fn every_failure_is_one_event_with_its_severity_in_the_trace_of_its_span() {
    let (_capture, telemetry, exporter) = logged(|settings| settings);
    for (operation, severity, span) in starts(&telemetry) {
        exporter.reset();
        let own = span.span_context().unwrap();
        span.end(Outcome::error("out_of_stock", "no item left"));
        let logs = exporter.get_emitted_logs().unwrap();
        let [log] = logs.as_slice() else { panic!("{operation}: {} events", logs.len()) };
        assert_eq!(log.record.event_name(), Some(format!("messaging.{operation}.exception").as_str()));
        assert_eq!(log.record.severity_number(), Some(severity), "{operation}");
        let trace = log.record.trace_context().unwrap();
        assert_eq!((trace.trace_id, trace.span_id), (own.trace_id(), own.span_id()), "{operation}");
        assert_eq!(trace.trace_flags, Some(own.trace_flags()));
        let attributes: Vec<_> = log.record.attributes_iter().cloned().collect();
        let attribute = |key, value: &'static str| (Key::from_static_str(key), AnyValue::from(value));
        let expected = [attribute("exception.type", "out_of_stock"), attribute("exception.message", "no item left")];
        assert_eq!(attributes, expected);
        let scope = (log.instrumentation.name(), log.instrumentation.version());
        assert_eq!(scope, ("traced-test", Some("1.2.3")));
    }
}

#[test]
fn what_succeeds_is_put_off_or_handed_over_is_no_event() {
    let (_capture, telemetry, exporter) = logged(|settings| settings);
    for outcome in [Outcome::Ok, Outcome::Deferred] {
        starts(&telemetry).into_iter().for_each(|(_, _, span)| span.end(outcome.clone()));
    }
    for (_, _, mut span) in starts(&telemetry) {
        span.handed_over();
    }
    assert!(exporter.get_emitted_logs().unwrap().is_empty());
}

#[test]
fn failures_of_handlers_are_logged_once_also_panics() {
    let (_capture, telemetry, exporter) = logged(|settings| settings);
    let start = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    start().in_scope(|| Err::<(), _>(std::fmt::Error)).unwrap_err();
    let panics = || -> Result<(), std::fmt::Error> { panic!("as it was told") };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| start().in_scope(panics))).unwrap_err();
    let kinds: Vec<_> = exporter
        .get_emitted_logs()
        .unwrap()
        .iter()
        .filter_map(|log| log.record.attributes_iter().next().map(|(_, value)| value.clone()))
        .collect();
    assert_eq!(kinds, [AnyValue::from("core::fmt::Error"), AnyValue::from("panic")]);
}

#[test]
fn filtered_messages_are_not_logged() {
    let (_capture, telemetry, exporter) = logged(|settings| settings.filter(|_| false));
    starts(&telemetry).into_iter().for_each(|(_, _, span)| span.end(Outcome::error("a", "b")));
    assert!(exporter.get_emitted_logs().unwrap().is_empty());
}
