//! What is counted and timed, and under which attributes.

use std::time::{Duration, SystemTime};
use traced_envelope::testing::{Capture, CapturedMetric};
use traced_envelope::{Destination, MessageHeaders, Operation, Outcome, SemConv, Telemetry};

const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const VALID: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

fn attributes(metric: &CapturedMetric) -> String {
    let all: Vec<_> = metric.attributes().iter().map(|it| format!("{}={}", it.key, it.value)).collect();
    all.join(" ")
}

#[test]
fn instruments_have_the_conventions_names_units_and_buckets() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    let operation = Operation::new("process", "orders").sent_at(SystemTime::now());
    telemetry.process(operation, &MessageHeaders::new()).end(Outcome::Ok);
    for (name, unit, histogram) in [
        ("messaging.client.operation.duration", "s", true),
        ("messaging.process.duration", "s", true),
        ("traced.message.wait.duration", "s", true),
        ("messaging.client.sent.messages", "{message}", false),
        ("messaging.client.consumed.messages", "{message}", false),
        ("traced.context.missing", "{message}", false),
    ] {
        let metric = capture.metric(name);
        assert_eq!(metric.unit(), unit, "{name}");
        assert_eq!(metric.bounds(), if histogram { BUCKETS.as_slice() } else { &[] }, "{name}");
        assert_eq!(metric.count(), histogram.then_some(1), "{name}");
        assert!(histogram || metric.value() == 1.0, "{name}");
    }
    assert_eq!(capture.metrics().len(), 6);
}

#[test]
fn attributes_are_of_low_cardinality_and_only_durations_of_calls_have_the_type() {
    let capture = Capture::new();
    let settings = capture.settings("shop").server("mq", 5672).consumer_group("billing").client_id("client-1");
    let telemetry = Telemetry::new("nats", &settings);
    let operation = Operation::new("publish", "orders").message_id("id-1").conversation_id("talk-1");
    telemetry.send(operation, &mut MessageHeaders::new()).end(Outcome::Ok);
    let of_message = "messaging.consumer.group.name=billing messaging.destination.name=orders \
                      messaging.operation.name=publish messaging.system=nats server.address=mq server.port=5672";
    assert_eq!(attributes(&capture.metric("messaging.client.sent.messages")), of_message);
    let with_type = of_message.replace("messaging.system", "messaging.operation.type=send messaging.system");
    assert_eq!(attributes(&capture.metric("messaging.client.operation.duration")), with_type);
}

#[test]
fn a_template_stands_for_the_name_and_anonymous_destinations_are_left_out() {
    for (destination, expected) in [
        (Destination::new("orders"), "messaging.destination.name=orders "),
        (Destination::new("user.7").template("user.{id}"), "messaging.destination.template=user.{id} "),
        (Destination::new("amq.gen-7").anonymous(true), ""),
        (Destination::new("mine").temporary(true), ""),
    ] {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("shop"));
        let prepared = telemetry.prepare("process", destination);
        telemetry.process(Operation::new("process", &prepared), &MessageHeaders::new()).end(Outcome::Ok);
        let of_message = format!("{expected}messaging.operation.name=process messaging.system=nats");
        assert_eq!(attributes(&capture.metric("messaging.client.consumed.messages")), of_message);
        let missing = format!("{expected}traced.context.reason=absent");
        assert_eq!(attributes(&capture.metric("traced.context.missing")), missing);
    }
}

#[test]
fn destinations_beyond_the_limit_are_counted_together() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    for number in 0..1024 {
        let _ = telemetry.prepared("publish", &[&format!("user.{number}")], |parts| Destination::new(parts.concat()));
    }
    for name in ["one", "two"] {
        telemetry.send(Operation::new("publish", name), &mut MessageHeaders::new()).end(Outcome::Ok);
        assert_eq!(capture.span(&format!("publish {name}")).kind(), opentelemetry::trace::SpanKind::Producer);
    }
    let sent = capture.metric("messaging.client.sent.messages");
    assert_eq!(sent.value(), 2.0);
    assert_eq!(sent.attribute("messaging.destination.name"), None);
}

#[test]
fn a_failed_attempt_is_counted_and_named() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::error("NACK", "no"));
    drop(telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    for (name, error) in [
        ("messaging.client.sent.messages", "NACK"),
        ("messaging.client.operation.duration", "NACK"),
        ("messaging.client.consumed.messages", "cancelled"),
        ("messaging.process.duration", "cancelled"),
    ] {
        assert_eq!(capture.metric(name).attribute("error.type"), Some(&error.into()), "{name}");
    }
}

#[test]
fn batches_count_their_messages_and_created_messages_are_not_sent_yet() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry.create(Operation::new("create", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    assert!(capture.metrics().is_empty());
    telemetry.send_batch(Operation::new("publish", "orders").batch(3), []).end(Outcome::Ok);
    telemetry.process_batch(Operation::new("process", "orders").batch(4), []).end(Outcome::Ok);
    assert_eq!(capture.metric("messaging.client.sent.messages").value(), 3.0);
    assert_eq!(capture.metric("messaging.client.operation.duration").count(), Some(1));
    assert_eq!(capture.metric("messaging.client.consumed.messages").value(), 4.0);
    assert_eq!(capture.metric("messaging.process.duration").count(), Some(1));
}

#[test]
fn a_message_that_is_received_processed_and_settled_is_consumed_once() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop").receive_spans(true).settle_spans(true));
    telemetry.receive(Operation::new("poll", "orders").batch(1), SystemTime::now(), []).end(Outcome::Ok);
    telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()).end(Outcome::Ok);
    telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    assert_eq!(capture.metric("messaging.client.consumed.messages").value(), 1.0);
    let mut timed: Vec<_> = capture
        .metrics()
        .iter()
        .filter(|metric| metric.name() == "messaging.client.operation.duration")
        .map(|metric| metric.attribute("messaging.operation.type").map(ToString::to_string).unwrap_or_default())
        .collect();
    timed.sort();
    assert_eq!(timed, ["receive", "settle"]);
}

#[test]
fn a_message_that_its_client_tries_again_is_counted_once_and_each_attempt_timed() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    for (again, outcome) in [(false, Outcome::error("timeout", "no answer")), (true, Outcome::Ok)] {
        let operation = Operation::new("process", "orders").sent_at(SystemTime::now()).again(again);
        telemetry.process(operation, &MessageHeaders::new()).end(outcome);
    }
    // Each once: an attribute of the second attempt's would make a second series.
    assert_eq!(capture.metric("messaging.client.consumed.messages").value(), 1.0);
    assert_eq!(capture.metric("traced.message.wait.duration").count(), Some(1));
    assert_eq!(capture.metric("traced.context.missing").value(), 1.0);
    let all = capture.metrics();
    let timed = all.iter().filter(|metric| metric.name() == "messaging.process.duration");
    assert_eq!(timed.filter_map(CapturedMetric::count).sum::<u64>(), 2);
}

#[test]
fn messages_without_a_usable_context_are_counted_by_reason() {
    let other = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    for (headers, expected) in [
        (vec![], Some("absent")),
        (vec![("traceparent", "")], Some("absent")),
        (vec![("traceparent", "00-1-1-1")], Some("invalid")),
        (vec![VALID, other], Some("conflicting")),
        (vec![VALID, VALID], None),
        (vec![VALID], None),
        (vec![("baggage", "a=1")], Some("absent")),
    ] {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("shop")).headers_may_repeat();
        let headers: MessageHeaders = headers.into_iter().collect();
        telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
        let counted = capture.metrics().into_iter().find(|metric| metric.name() == "traced.context.missing");
        let reason = counted.map(|metric| metric.attribute("traced.context.reason").map(ToString::to_string));
        assert_eq!(reason, expected.map(|reason| Some(reason.to_owned())), "{headers:?}");
    }
}

#[test]
fn waiting_is_timed_under_the_operations_name_and_a_clock_that_is_behind_counts_as_zero() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let at = |time| Operation::new("deliver", "orders").sent_at(time);
    let headers = MessageHeaders::new();
    telemetry.process(at(SystemTime::now() + Duration::from_secs(60)), &headers).end(Outcome::Ok);
    let metric = capture.metric("traced.message.wait.duration");
    assert_eq!((metric.value(), metric.count()), (0.0, Some(1)));
    assert_eq!(metric.attribute("messaging.operation.name"), Some(&"deliver".into()));
    let waited = capture.span("deliver orders").attribute("traced.message.wait.duration").cloned();
    assert_eq!(waited, Some(0.0.into()));
    telemetry.process(at(SystemTime::now() - Duration::from_secs(60)), &headers).end(Outcome::Ok);
    assert!(capture.metric("traced.message.wait.duration").value() >= 60.0);
}

#[test]
fn metrics_can_be_switched_off_and_follow_the_release_of_the_conventions() {
    let capture = Capture::new();
    let off = Telemetry::new("nats", &capture.settings("shop").metrics(false));
    off.process(Operation::new("process", "orders"), &MessageHeaders::new()).end(Outcome::Ok);
    assert!(capture.metrics().is_empty());
    let both = Telemetry::new("nats", &capture.settings("shop").semconv(SemConv::Both));
    both.process(Operation::new("process", "orders"), &MessageHeaders::new()).end(Outcome::Ok);
    let metric = capture.metric("messaging.process.duration");
    for key in ["messaging.system", "messaging.system.name"] {
        assert_eq!(metric.attribute(key), Some(&"nats".into()));
    }
}
