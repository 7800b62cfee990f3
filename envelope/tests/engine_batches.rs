//! Batches: one span, a link for each message, and no message's baggage.

use opentelemetry::KeyValue;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer};
use traced_envelope::testing::Capture;
use traced_envelope::{Fact, MessageHeaders, Operation, Outcome, Relation, Telemetry, semconv};

fn headers(number: u64) -> MessageHeaders {
    let parent = format!("00-{:032x}-{number:016x}-01", u128::from(number));
    [("traceparent", parent.as_str()), ("baggage", "tenant=acme")].into_iter().collect()
}

fn contexts(number: u64) -> impl Iterator<Item = SpanContext> {
    (1..=number)
        .map(|id| SpanContext::new(TraceId::from(7), SpanId::from(id), TraceFlags::SAMPLED, true, TraceState::NONE))
}

#[test]
fn a_processed_batch_links_each_message_once_with_what_differs_on_the_link() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("kafka", &capture.settings("shop"));
    let messages = [headers(1), headers(2), headers(1), MessageHeaders::new()];
    let offset = |at: usize| vec![(semconv::KAFKA_OFFSET, Fact::from(i64::try_from(at).unwrap()))];
    let batch = messages.iter().enumerate().map(|(at, headers)| (headers as &dyn Extractor, offset(at)));
    let span = telemetry.process_batch(Operation::new("process", "orders").batch(4), batch);
    assert!(span.context().baggage().is_empty(), "no single message's baggage");
    span.end(Outcome::Ok);
    let span = capture.span("process orders");
    assert_eq!(span.parent_id(), None);
    let links: Vec<_> =
        span.links().iter().map(|link| (link.span_context.span_id(), link.attributes.clone())).collect();
    let attribute = |offset: i64| vec![KeyValue::new("messaging.kafka.offset", offset)];
    assert_eq!(links, [(SpanId::from(1), attribute(0)), (SpanId::from(2), attribute(1))]);
    assert_eq!(capture.metric("traced.context.missing").value(), 1.0);
}

#[test]
fn links_beyond_what_the_sdk_keeps_are_counted_on_every_kind_of_span() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop").settle_spans(true).receive_spans(true));
    telemetry.send_batch(Operation::new("publish", "orders").batch(130), contexts(130)).end(Outcome::Ok);
    telemetry.settle(Operation::new("ack", "orders"), contexts(131)).end(Outcome::Ok);
    telemetry.receive(Operation::new("poll", "orders"), std::time::SystemTime::now(), contexts(128)).end(Outcome::Ok);
    let messages: Vec<_> = (1..=132).map(headers).collect();
    let batch = messages.iter().map(|headers| (headers as &dyn Extractor, Vec::new()));
    telemetry.process_batch(Operation::new("process", "orders").batch(132), batch).end(Outcome::Ok);
    for (name, dropped) in [("publish", Some(2)), ("ack", Some(3)), ("poll", None), ("process", Some(4))] {
        let span = capture.span(&format!("{name} orders"));
        assert_eq!(span.links().len(), 128, "{name}");
        assert_eq!(span.attribute("traced.links.dropped").cloned(), dropped.map(Into::into), "{name}");
    }
}

#[test]
fn a_batch_is_related_to_the_span_around_it_as_a_single_message_is() {
    for (relation, is_parent, links) in [
        (Relation::Auto, false, 3),
        (Relation::Parent, false, 2),
        (Relation::Link, true, 2),
        (Relation::New, false, 2),
        (Relation::Ignore, true, 0),
    ] {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("shop").relation(relation));
        capture.tracer("shop").in_span("loop", |context| {
            let headers = [headers(1), headers(2)];
            let batch = headers.each_ref().map(|headers| (headers as &dyn Extractor, Vec::new()));
            telemetry.process_batch(Operation::new("process", "orders").batch(2), batch).end(Outcome::Ok);
            let span = capture.span("process orders");
            let own = context.span().span_context().span_id();
            assert_eq!(span.parent_id(), is_parent.then_some(own), "{relation:?}");
            assert_eq!(span.links().len(), links, "{relation:?}");
        });
    }
}

#[test]
fn where_the_creation_context_is_to_be_the_parent_it_is_so_in_a_batch_that_has_only_one() {
    for (relation, messages, parent) in [
        (Relation::Parent, &[1][..], Some(1)),
        (Relation::Parent, &[1, 1], Some(1)),
        (Relation::Parent, &[1, 2], None),
        (Relation::Parent, &[], None),
        (Relation::Auto, &[1], None),
    ] {
        let capture = Capture::new();
        let telemetry = Telemetry::new("nats", &capture.settings("shop").relation(relation));
        let headers: Vec<_> = messages.iter().copied().map(headers).collect();
        let batch = headers.iter().map(|headers| (headers as &dyn Extractor, Vec::new()));
        let span = telemetry.process_batch(Operation::new("process", "orders").batch(messages.len()), batch);
        assert!(span.context().baggage().is_empty(), "{relation:?} {messages:?}");
        span.end(Outcome::Ok);
        assert_eq!(capture.span("process orders").parent_id(), parent.map(SpanId::from), "{relation:?} {messages:?}");
    }
}

#[test]
fn a_batch_without_create_spans_shares_the_context_of_its_send_span() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop").create_spans(false));
    assert!(!telemetry.makes_create_spans());
    let span = telemetry.send_batch(Operation::new("publish", "orders").batch(2), []);
    let mut written = [MessageHeaders::new(), MessageHeaders::new()];
    written.iter_mut().for_each(|headers| span.inject(headers));
    span.end(Outcome::Ok);
    let id = capture.span("publish orders").span_id().to_string();
    assert!(written.iter().all(|headers| headers.get("traceparent").is_some_and(|header| header.contains(&id))));
}

#[test]
fn hooks_see_batches_too() {
    let capture = Capture::new();
    let hook = |key: &'static str| {
        move |_: &traced_envelope::Message<'_>, attributes: &mut Vec<KeyValue>| {
            attributes.push(KeyValue::new(key, true))
        }
    };
    let telemetry =
        Telemetry::new("nats", &capture.settings("shop").on_send(hook("sent")).on_process(hook("processed")));
    telemetry.send_batch(Operation::new("publish", "orders").batch(1), []).end(Outcome::Ok);
    telemetry.process_batch(Operation::new("process", "orders").batch(0), []).end(Outcome::Ok);
    assert!(capture.span("publish orders").attribute("sent").is_some());
    assert!(capture.span("process orders").attribute("processed").is_some());
}

#[test]
fn a_batch_of_nothing_that_is_sent_has_no_span_and_counts_nothing() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    telemetry.send_batch(Operation::new("publish", "orders").batch(0), []).end(Outcome::Ok);
    assert!(capture.spans().is_empty() && capture.metrics().is_empty());
}

#[test]
fn unwanted_messages_of_a_batch_are_neither_linked_nor_counted() {
    let capture = Capture::new();
    let settings = capture.settings("shop").filter(|message| message.header("traceparent").is_some());
    let telemetry = Telemetry::new("nats", &settings);
    let messages = [headers(1), MessageHeaders::new(), MessageHeaders::new()];
    let process = |messages: &[MessageHeaders]| {
        let batch = messages.iter().map(|headers| (headers as &dyn Extractor, Vec::new()));
        telemetry.process_batch(Operation::new("process", "orders").batch(messages.len()), batch).end(Outcome::Ok);
    };
    process(&messages);
    assert_eq!(capture.span("process orders").links().len(), 1);
    assert_eq!(capture.metric("messaging.client.consumed.messages").value(), 1.0);
    capture.clear();
    process(&messages[1..]);
    assert!(capture.spans().is_empty() && capture.metrics().is_empty(), "nothing is left of that batch");
}
