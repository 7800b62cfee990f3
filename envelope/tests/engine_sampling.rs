//! What a sampler is asked with.

use opentelemetry::trace::{Link, SpanKind, TraceState};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use std::sync::{Arc, Mutex};
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry};

#[derive(Clone, Debug, Default)]
struct Sees(Arc<Mutex<Vec<Vec<String>>>>);

impl ShouldSample for Sees {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(attributes.iter().map(|attribute| attribute.key.to_string()).collect());
        let decision = SamplingDecision::RecordAndSample;
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::NONE }
    }
}

#[test]
fn samplers_see_what_they_may_need_at_the_start() {
    let sees = Sees::default();
    let capture = Capture::with_sampler(sees.clone());
    let settings = capture
        .settings("shop")
        .server("mq", 1)
        .consumer_group("billing")
        .destination_template("orders", "o")
        .on_send(|_, attributes| attributes.push(KeyValue::new("from.on_send", true)))
        .on_process(|_, attributes| attributes.push(KeyValue::new("from.on_process", true)));
    let telemetry = Telemetry::new("nats", &settings);
    telemetry.send(Operation::new("publish", "orders").partition(0), &mut MessageHeaders::new()).end(Outcome::Ok);
    telemetry.process(Operation::new("process", "orders").partition(0), &MessageHeaders::new()).end(Outcome::Ok);
    let seen = sees.0.lock().unwrap();
    for (seen, own) in seen.iter().zip(["from.on_send", "from.on_process"]) {
        for key in [
            "messaging.system",
            "messaging.operation.name",
            "messaging.operation.type",
            "messaging.destination.name",
            "messaging.destination.template",
            "messaging.destination.partition.id",
            "messaging.consumer.group.name",
            "server.address",
            "server.port",
            own,
        ] {
            assert!(seen.iter().any(|seen| seen == key), "{key} is missing in {seen:?}");
        }
    }
    assert_eq!(seen.len(), 2);
}
