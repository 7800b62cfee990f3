//! A service that chose B3 keeps it: alone in its process, because propagators are process-wide.

use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use opentelemetry_propagator_b3::{B3Encoding, Propagator};
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Relation, Settings, Telemetry};

/// This encoding writes the four headers of the other one too.
fn only_b3(headers: &MessageHeaders) -> bool {
    headers.keys().iter().all(|name| *name == "b3" || name.starts_with("x-b3-")) && headers.get("b3").is_some()
}

#[test]
fn b3_stays_b3_on_the_way_out_and_on_the_way_in() {
    global::set_text_map_propagator(Propagator::with_encoding(B3Encoding::SingleHeader));
    let capture = Capture::new();
    let settings = Settings::default()
        .tracer_provider(capture.tracer_provider("shop"))
        .meter_provider(capture.meter_provider("shop"));
    let telemetry = Telemetry::new("nats", &settings);
    let mut headers = MessageHeaders::new();
    telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
    assert!(headers.get("traceparent").is_none() && only_b3(&headers));
    telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
    let (sent, processed) = (capture.span("publish orders"), capture.span("process orders"));
    assert_eq!(processed.parent_id(), Some(sent.span_id()));
    assert_eq!(processed.links().len(), 1);

    // A root, although B3 leaves the message's span in the context.
    let rooted = Telemetry::new("nats", &settings.relation(Relation::New));
    rooted.process(Operation::new("rooted", "orders"), &headers).end(Outcome::Ok);
    assert_eq!(capture.span("rooted orders").parent_id(), None);

    let invalid: MessageHeaders = [("b3", "nonsense")].into_iter().collect();
    telemetry.process(Operation::new("invalid", "orders"), &invalid).end(Outcome::Ok);
    let missing = capture.metric("traced.context.missing");
    assert_eq!(missing.attribute("traced.context.reason"), Some(&"invalid".into()));

    // Sent on, the old header is replaced and the old context linked.
    let operation = Operation::new("forward", "orders").existing(telemetry.existing(&headers));
    telemetry.send(operation, &mut headers).end(Outcome::Ok);
    let forwarded = capture.span("forward orders");
    assert_eq!(forwarded.links()[0].span_context.span_id(), sent.span_id());
    assert!(only_b3(&headers));
    assert!(headers.get("b3").unwrap().contains(&forwarded.span_id().to_string()));
}
