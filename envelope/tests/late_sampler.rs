//! Looking for an SDK that comes late starts no span that anybody hears of: alone in its process, because the provider is process-wide.

use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Status, Telemetry};

/// What an SDK's sampler and processor are told.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl ShouldSample for Told {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        _: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let destination = attributes.iter().any(|attribute| attribute.key.as_str() == "messaging.destination.name");
        self.note(format!("sampler: {name}, destination {destination}, {} links", links.len()));
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: TraceState::NONE,
        }
    }
}

impl SpanProcessor for Told {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.note("started".to_owned());
    }

    fn on_end(&self, span: SpanData) {
        self.note(format!("ended: {}", span.name));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn without_an_sdk_spans_are_put_together_once_and_the_first_real_one_has_everything() {
    let put_together = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&put_together);
    let settings = Settings::default().on_process(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let telemetry = Telemetry::new("nats", &settings);
    let headers: MessageHeaders =
        [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")].into_iter().collect();
    let process = || telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
    (0..5).for_each(|_| process());
    assert_eq!(put_together.load(Ordering::Relaxed), 1, "for the first message only");
    assert_eq!(telemetry.status(), Status::NoSdk { messages: 5 });

    let told = Told::default();
    let provider = SdkTracerProvider::builder().with_sampler(told.clone()).with_span_processor(told.clone()).build();
    global::set_tracer_provider(provider);
    process();
    assert_eq!(
        *told.0.lock().unwrap(),
        ["sampler: process orders, destination true, 1 links", "started", "ended: process orders"]
    );
    assert_eq!(telemetry.status(), Status::Active);
}
