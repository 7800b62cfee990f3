//! A propagator that is installed after the first messages: alone in its process, because it is process-wide.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use traced_envelope::propagation::W3cPropagator;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry};

fn sent(telemetry: &Telemetry) -> Vec<String> {
    let guard = Context::current_with_baggage([KeyValue::new("tenant", "acme")]).attach();
    let mut headers = MessageHeaders::new();
    telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
    drop(guard);
    headers.keys().into_iter().map(ToOwned::to_owned).collect()
}

fn with_global(capture: &Capture) -> Telemetry {
    Telemetry::new("nats", &Settings::default().tracer_provider(capture.tracer_provider("shop")))
}

#[test]
fn the_process_wide_propagator_is_used_once_there_is_one_and_its_choice_is_kept() {
    let capture = Capture::new();
    let telemetry = with_global(&capture);
    assert_eq!(
        sent(&telemetry),
        ["traceparent", "baggage"],
        "ours, while the stand-in that writes nothing is installed"
    );
    global::set_text_map_propagator(opentelemetry::propagation::TextMapCompositePropagator::new(Vec::new()));
    assert_eq!(sent(&telemetry), ["traceparent", "baggage"], "one that writes nothing is none");

    // The application left baggage out.
    global::set_text_map_propagator(TraceContextPropagator::new());
    let mut without_baggage = sent(&telemetry);
    without_baggage.retain(|name| name != "tracestate"); // The SDK's writes it even if it is empty.
    assert_eq!(without_baggage, ["traceparent"]);

    // Ours is recognised behind the global: it checks what it reads, and the SDK's does not.
    global::set_text_map_propagator(W3cPropagator::without_baggage());
    let ours = with_global(&capture);
    assert_eq!(sent(&ours), ["traceparent"]);
    let conflict = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let capture = Capture::new();
    let settings = Settings::default().meter_provider(capture.meter_provider("shop"));
    let telemetry = Telemetry::new("nats", &settings).headers_may_repeat();
    telemetry
        .process(Operation::new("process", "orders"), &conflict.into_iter().collect::<MessageHeaders>())
        .end(Outcome::Ok);
    let missing = capture.metric("traced.context.missing");
    assert_eq!(missing.attribute("traced.context.reason"), Some(&"conflicting".into()));

    // What was given goes before what is installed.
    let given = Settings::default().tracer_provider(capture.tracer_provider("shop")).propagator(W3cPropagator::new());
    assert_eq!(sent(&Telemetry::new("nats", &given)), ["traceparent", "baggage"]);
}
