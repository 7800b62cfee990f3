//! Names, kinds, attributes and statuses of spans, as the messaging conventions have them.

use opentelemetry::Value;
use opentelemetry::trace::{SpanKind, Status};
use std::time::{Duration, SystemTime};
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_envelope::{Destination, MessageHeaders, Operation, Outcome, SemConv, Settings, Telemetry, semconv};

fn text(span: &CapturedSpan, key: &str) -> Option<String> {
    span.attribute(key).map(ToString::to_string)
}

fn keys(span: &CapturedSpan) -> Vec<&str> {
    span.attributes().iter().map(|attribute| attribute.key.as_str()).collect()
}

#[test]
fn every_type_of_operation_has_its_kind_its_name_and_its_type() {
    let capture = Capture::new();
    let settings = capture.settings("shop").settle_spans(true).receive_spans(true);
    let telemetry = Telemetry::new("nats", &settings);
    let headers = MessageHeaders::new();
    telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    telemetry.create(Operation::new("create", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    telemetry.send_batch(Operation::new("publish_all", "orders").batch(1), []).end(Outcome::Ok);
    telemetry.receive(Operation::new("poll", "orders"), SystemTime::now(), []).end(Outcome::Ok);
    telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
    telemetry.process_batch(Operation::new("process_all", "orders").batch(0), []).end(Outcome::Ok);
    telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);

    for (name, kind, operation) in [
        ("publish", SpanKind::Producer, "send"),
        ("create", SpanKind::Producer, "create"),
        // The create spans are the producers.
        ("publish_all", SpanKind::Client, "send"),
        ("poll", SpanKind::Client, "receive"),
        ("process", SpanKind::Consumer, "process"),
        ("process_all", SpanKind::Consumer, "process"),
        ("ack", SpanKind::Client, "settle"),
    ] {
        let span = capture.span(&format!("{name} orders"));
        assert_eq!(span.kind(), kind, "{name}");
        assert_eq!(text(&span, "messaging.operation.name").as_deref(), Some(name));
        assert_eq!(text(&span, "messaging.operation.type").as_deref(), Some(operation), "{name}");
        assert_eq!(text(&span, "messaging.system").as_deref(), Some("nats"), "{name}");
        assert_eq!(text(&span, "messaging.destination.name").as_deref(), Some("orders"), "{name}");
        assert_eq!(span.status(), &Status::Unset, "{name}");
        assert_eq!(span.attribute("error.type"), None, "{name}");
        assert!(span.events().is_empty(), "{name}: span events are deprecated");
    }
    assert_eq!(capture.spans().len(), 7);
}

#[test]
fn spans_are_named_by_template_else_by_a_name_that_somebody_chose_else_by_the_operation_alone() {
    let capture = Capture::new();
    let settings = capture
        .settings("shop")
        .destination_template("user.*", "user.{id}")
        .destination_template("user.special.*", "never: the first that fits counts");
    let telemetry = Telemetry::new("nats", &settings);
    for (destination, expected) in [
        (Destination::new("orders"), "publish orders"),
        (Destination::new("user.7"), "publish user.{id}"),
        (Destination::new("user.special.7"), "publish user.{id}"),
        (Destination::new("user.8").template("the adapter's"), "publish user.{id}"),
        (Destination::new("area.51").template("area.*"), "publish area.*"),
        (Destination::new("amq.gen-x").anonymous(true), "publish"),
        (Destination::new("mine").temporary(true), "publish"),
        (Destination::new("mine").temporary(true).template("theirs"), "publish theirs"),
        (Destination::new(""), "publish"),
    ] {
        assert_eq!(telemetry.prepare("publish", destination.clone()).span_name(), expected, "{destination:?}");
    }
    // Whoever names a destination without preparing it gets the same rules.
    telemetry.send(Operation::new("publish", "amq.gen-JzTY20"), &mut MessageHeaders::new()).end(Outcome::Ok);
    let span = capture.span("publish");
    assert_eq!(span.attribute("messaging.destination.anonymous"), Some(&true.into()));
    assert_eq!(text(&span, "messaging.destination.name").as_deref(), Some("amq.gen-JzTY20"));
}

#[test]
fn facts_of_the_message_are_written_with_their_types_and_what_is_unknown_is_left_out() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("kafka", &capture.settings("shop").message_sizes(true));
    let sent_at = SystemTime::now() - Duration::from_secs(2);
    let operation = Operation::new("process", "orders")
        .message_id("7")
        .conversation_id("talk")
        .partition(3)
        .body_size(11)
        .attempt(2)
        .sent_at(sent_at)
        .attribute(&semconv::KAFKA_OFFSET, 41)
        .attribute(&semconv::KAFKA_MESSAGE_KEY, "key")
        .attribute(&semconv::KAFKA_TOMBSTONE, true)
        .attribute(&semconv::CLIENT_ID, "a fourth is left out");
    telemetry.process(operation, &MessageHeaders::new()).end(Outcome::Ok);
    let span = capture.span("process orders");
    assert_eq!(span.attribute("messaging.destination.partition.id"), Some(&Value::from("3")), "a string");
    assert_eq!(span.attribute("messaging.message.id"), Some(&"7".into()));
    assert_eq!(span.attribute("messaging.message.conversation_id"), Some(&"talk".into()));
    assert_eq!(span.attribute("messaging.message.body.size"), Some(&11.into()));
    assert_eq!(span.attribute("traced.message.attempt"), Some(&2.into()));
    assert_eq!(span.attribute("messaging.kafka.offset"), Some(&41.into()));
    assert_eq!(span.attribute("messaging.kafka.message.tombstone"), Some(&true.into()));
    assert!(matches!(span.attribute("traced.message.wait.duration"), Some(Value::F64(waited)) if *waited >= 2.0));
    assert_eq!(span.attribute("messaging.client.id"), None);
    assert_eq!(span.attribute("messaging.batch.message_count"), None, "only on batch calls");

    capture.clear();
    let plain = Telemetry::new("kafka", &capture.settings("shop"));
    plain.process(Operation::new("process", "orders").body_size(11), &MessageHeaders::new()).end(Outcome::Ok);
    let known =
        ["messaging.operation.name", "messaging.operation.type", "messaging.system", "messaging.destination.name"];
    assert_eq!(keys(&capture.span("process orders")), known);
}

#[test]
fn only_batch_calls_say_how_many_messages_they_are_about() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry.send_batch(Operation::new("publish", "orders").batch(1), []).end(Outcome::Ok);
    assert_eq!(capture.span("publish orders").attribute("messaging.batch.message_count"), Some(&1.into()));
}

#[test]
fn what_the_client_hides_and_the_application_tells_is_on_every_span() {
    let capture = Capture::new();
    let settings = capture.settings("shop").server("mq.internal", 5672).consumer_group("billing").client_id("c-1");
    let telemetry = Telemetry::new("nats", &settings);
    let orders = telemetry.prepare("process", Destination::new("orders").attribute(&semconv::CLIENT_ID, "another"));
    telemetry.process(Operation::new("process", &orders), &MessageHeaders::new()).end(Outcome::Ok);
    let span = capture.span("process orders");
    assert_eq!(span.attribute("server.address"), Some(&"mq.internal".into()));
    assert_eq!(span.attribute("server.port"), Some(&5672.into()));
    assert_eq!(span.attribute("messaging.consumer.group.name"), Some(&"billing".into()));
    assert_eq!(span.attribute("messaging.client.id"), Some(&"c-1".into()));
    assert_eq!(keys(&span).iter().filter(|key| **key == "messaging.client.id").count(), 1, "the settings' alone");
}

#[test]
fn each_release_of_the_conventions_has_its_names_and_its_schema() {
    for (release, names, schema) in [
        (SemConv::V1_44, &["messaging.system", "messaging.rabbitmq.message.delivery_tag"][..], "1.44.0"),
        (SemConv::V1_45, &["messaging.system.name", "rabbitmq.message.delivery_tag"], "1.45.0"),
        (
            SemConv::Both,
            &[
                "messaging.system",
                "messaging.system.name",
                "messaging.rabbitmq.message.delivery_tag",
                "rabbitmq.message.delivery_tag",
            ],
            "1.44.0",
        ),
    ] {
        let capture = Capture::new();
        let telemetry =
            Telemetry::scoped("rabbitmq", "traced-test", "7.8.9", &capture.settings("shop").semconv(release));
        let operation = Operation::new("process", "orders").attribute(&semconv::RABBITMQ_DELIVERY_TAG, 9);
        telemetry.process(operation, &MessageHeaders::new()).end(Outcome::Ok);
        let span = capture.span("process orders");
        let renamed = ["messaging.system", "rabbitmq"];
        let mut found: Vec<_> =
            keys(&span).into_iter().filter(|key| renamed.iter().any(|part| key.contains(part))).collect();
        found.sort_unstable();
        let mut names = names.to_vec();
        names.sort_unstable();
        assert_eq!(found, names, "{release:?}");

        let url = format!("https://opentelemetry.io/schemas/{schema}");
        let metric = capture.metric("messaging.process.duration");
        for scope in [span.scope(), metric.scope()] {
            assert_eq!((scope.name(), scope.version()), ("traced-test", Some("7.8.9")));
            assert_eq!(scope.schema_url(), Some(url.as_str()), "{release:?}");
        }
    }
}

#[test]
fn a_failure_has_status_error_with_its_text_and_a_type() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let start = |name| telemetry.process(Operation::new(name, "orders"), &MessageHeaders::new());
    start("error").end(Outcome::error("out_of_stock", "no item 42 left"));
    start("deferred").end(Outcome::Deferred);
    drop(start("dropped"));
    let mut handed_over = start("handed_over");
    handed_over.handed_over();
    drop(handed_over);
    for (name, error) in [
        ("error", Some(("out_of_stock", "no item 42 left"))),
        ("deferred", None),
        ("dropped", Some(("cancelled", "dropped before it had finished"))),
        ("handed_over", None),
    ] {
        let span = capture.span(&format!("{name} orders"));
        assert_eq!(text(&span, "error.type").as_deref(), error.map(|(kind, _)| kind), "{name}");
        let status = error.map_or(Status::Unset, |(_, message)| Status::error(message));
        assert_eq!(span.status(), &status, "{name}");
    }
}

#[derive(Debug)]
struct Declined;

impl std::fmt::Display for Declined {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the bank said no")
    }
}

#[test]
fn the_application_names_its_errors_and_others_are_named_by_their_type() {
    let capture = Capture::new();
    let settings = capture.settings("shop").on_error(|error| error.downcast_ref::<Declined>().map(|_| "declined"));
    let telemetry = Telemetry::new("nats", &settings);
    let start = |name| telemetry.process(Operation::new(name, "orders"), &MessageHeaders::new());
    assert!(start("named").in_scope(|| Err::<(), _>(Declined)).is_err());
    assert!(start("typed").in_scope(|| Err::<(), _>(std::fmt::Error)).is_err());
    assert!(start("erased").in_scope(|| Err::<(), Box<dyn std::error::Error>>("why".into())).is_err());
    let kind = |name: &str| text(&capture.span(&format!("{name} orders")), "error.type");
    assert_eq!(kind("named").as_deref(), Some("declined"));
    assert_eq!(kind("typed").as_deref(), Some("core::fmt::Error"));
    assert_eq!(kind("erased").as_deref(), Some("_OTHER"));
    assert_eq!(capture.span("named orders").status(), &Status::error("the bank said no"));
}

#[test]
fn a_pull_starts_when_it_began_and_not_when_it_returned() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop").receive_spans(true));
    let began = SystemTime::now() - Duration::from_secs(3);
    telemetry.receive(Operation::new("poll", "orders"), began, []).end(Outcome::Ok);
    assert_eq!(capture.span("poll orders").start(), began);
    assert!(capture.metric("messaging.client.operation.duration").value() >= 3.0);
}

#[test]
fn receive_and_settle_spans_are_made_for_those_who_ask() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry.receive(Operation::new("poll", "orders"), SystemTime::now(), []).end(Outcome::Ok);
    telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    assert!(capture.spans().is_empty() && capture.metrics().is_empty());
}

#[test]
fn what_becomes_known_later_is_added_under_the_releases_name() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("kafka", &capture.settings("shop").semconv(SemConv::V1_45));
    let span = telemetry.send(Operation::new("send", "orders"), &mut MessageHeaders::new());
    span.set_attribute(&semconv::KAFKA_OFFSET, 7);
    span.end(Outcome::Ok);
    assert_eq!(capture.span("send orders").attribute("kafka.offset"), Some(&7.into()));
}

#[test]
fn the_status_tells_whether_spans_are_made() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    assert_eq!(telemetry.status(), traced_envelope::Status::NoMessageYet);
    telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    assert_eq!(telemetry.status(), traced_envelope::Status::Active);
    assert_eq!(Telemetry::new("nats", &Settings::default()).status(), traced_envelope::Status::NoMessageYet);
}
