//! Headers on spans, and before the application's closures.

use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry};

fn message() -> MessageHeaders {
    [("X-Tenant", "acme"), ("x-secret", "s"), ("other", "o")].into_iter().collect()
}

fn captured(span: &CapturedSpan) -> Vec<String> {
    let headers = span.attributes().iter().filter(|attribute| attribute.key.as_str().starts_with("messaging.header."));
    headers.map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect()
}

#[test]
fn headers_that_are_named_are_on_the_spans_of_both_sides_and_excluded_ones_are_not() {
    let capture = Capture::new();
    let settings = capture.settings("shop").capture_headers(["x-*"]).exclude_headers(["x-secret"]);
    let telemetry = Telemetry::new("nats", &settings);
    let mut headers = message();
    for operation in ["publish", "create"] {
        let existing = telemetry.existing(&headers);
        let operation = Operation::new(operation, "orders").existing(existing);
        telemetry.send(operation, &mut headers).end(Outcome::Ok);
    }
    telemetry.process(Operation::new("process", "orders"), &message()).end(Outcome::Ok);
    for operation in ["publish", "create", "process"] {
        let span = capture.span(&format!("{operation} orders"));
        assert_eq!(captured(&span), [r#"messaging.header.x-tenant=["acme"]"#], "{operation}");
    }
}

#[test]
fn closures_see_the_headers_of_a_message_that_is_sent() {
    let capture = Capture::new();
    let settings = capture.settings("shop").filter(|message| message.header("other") != Some("unwanted")).on_send(
        |message, attributes| {
            attributes.extend(message.header("x-tenant").map(|tenant| KeyValue::new("tenant.id", tenant.to_owned())));
        },
    );
    let telemetry = Telemetry::new("nats", &settings);
    for other in ["o", "unwanted"] {
        let mut headers: MessageHeaders = [("X-Tenant", "acme"), ("other", other)].into_iter().collect();
        let existing = telemetry.existing(&headers);
        telemetry.send(Operation::new("publish", "orders").existing(existing), &mut headers).end(Outcome::Ok);
        assert!(
            headers.get("traceparent").is_some() == (other == "o"),
            "an unwanted one carries what is current: nothing"
        );
    }
    assert_eq!(capture.spans().len(), 1);
    assert_eq!(capture.span("publish orders").attribute("tenant.id"), Some(&"acme".into()));
}

#[test]
fn other_frameworks_headers_are_read_in_their_order_and_only_where_there_is_no_traceparent() {
    let context = |digit: char| format!("00-{}-00f067aa0ba902b7-01", String::from(digit).repeat(32));
    for (headers, expected) in [
        (vec![("ce_traceparent", context('1'))], Some('1')),
        (vec![("CE_Traceparent", context('1')), ("mt-activity-id", context('2'))], Some('2')),
        (vec![("ce_traceparent", context('1')), ("traceparent", context('3'))], Some('3')),
        (vec![("ce_traceparent", "stale".to_owned())], None),
        (vec![("parent-id", context('1'))], None),
    ] {
        for repeats in [false, true] {
            let capture = Capture::new();
            let settings = capture.settings("shop").foreign_traceparents(["MT-Activity-Id", "ce_traceparent"]);
            let telemetry = Telemetry::new("nats", &settings);
            let telemetry = if repeats { telemetry.headers_may_repeat() } else { telemetry };
            let headers: MessageHeaders = headers.iter().cloned().collect();
            telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
            let span = capture.span("process orders");
            let continued = span.parent_id().map(|_| span.trace_id().to_string());
            assert_eq!(continued, expected.map(|digit| String::from(digit).repeat(32)), "{headers:?}");
        }
    }
}
