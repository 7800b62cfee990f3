//! A capture sees what services do.
#![cfg(feature = "testing")]

mod testing_order;

use std::{thread, time::Duration};

use futures_util::FutureExt;
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId, global,
    metrics::MeterProvider,
    trace::{Link, Span, SpanContext, SpanKind, TraceContextExt, TraceState, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use testing_order::{ORDER, message, order};
use traced_envelope::testing::Capture;
use tracing_subscriber::layer::SubscriberExt;

#[test]
fn a_trace_through_two_services_is_what_its_drawing_says() {
    let capture = Capture::new();
    order(&capture, false);
    capture.assert_trace(ORDER);
    capture.assert_no_open_spans();
    assert_eq!(capture.assert_one_trace(), capture.span("checkout").trace_id());

    let process = capture.span("process orders");
    assert_eq!(process.service(), "warehouse");
    assert_eq!(process.parent_id(), Some(capture.span("publish orders").span_id()));
    assert!(process.parent_is_remote());
    assert!(process.is_sampled());
    assert_eq!(process.scope().name(), "warehouse");
}

#[test]
fn clearing_forgets_spans_and_measurements() {
    let capture = Capture::new();
    let counter = capture.meter_provider("shop").meter("m").u64_counter("sent").build();
    counter.add(3, &[]);
    order(&capture, false);
    capture.clear();
    assert!(capture.spans().is_empty() && capture.metrics().is_empty());
    counter.add(2, &[]);
    assert_eq!(capture.metric("sent").value(), 2.0);
}

#[test]
fn measurements_add_up_over_readings_and_stay_apart_by_attributes_and_service() {
    let capture = Capture::new();
    for service in ["shop", "warehouse"] {
        let meter = capture.meter_provider(service).meter("m");
        let counter = meter.u64_counter("sent").with_unit("{message}").build();
        let histogram = meter.f64_histogram("took").with_unit("s").with_boundaries(vec![0.005, 0.01]).build();
        let level = meter.i64_up_down_counter("level").build();
        counter.add(2, &[KeyValue::new("a", 1)]);
        histogram.record(0.25, &[]);
        level.add(5, &[]);
        assert!(!capture.metrics().is_empty());
        counter.add(3, &[KeyValue::new("a", 1)]);
        counter.add(1, &[KeyValue::new("a", 2)]);
        histogram.record(0.5, &[]);
        level.add(-2, &[]);
    }
    let metrics = capture.metrics();
    let of_shop = |name| {
        let mut series: Vec<_> = metrics.iter().filter(|m| m.name() == name && m.service() == "shop").collect();
        series.sort_by(|a, b| b.value().total_cmp(&a.value()));
        series
    };
    let sent = of_shop("sent");
    assert_eq!(sent.iter().map(|m| m.value()).collect::<Vec<_>>(), [5.0, 1.0]);
    assert_eq!((sent[0].unit(), sent[0].count()), ("{message}", None));
    assert_eq!(sent[0].attribute("a"), Some(&1.into()));
    let took = of_shop("took");
    assert_eq!((took[0].value(), took[0].count()), (0.75, Some(2)));
    assert_eq!(took[0].bounds(), [0.005, 0.01]);
    assert_eq!(of_shop("level")[0].value(), 3.0);

    let message = message(|| capture.metric("sent"));
    assert!(message.contains("  sent  shop  {a=1}  5 {message}"), "{message}");
}

#[test]
fn a_sampler_decides_and_what_is_only_recorded_is_captured_as_unsampled() {
    #[derive(Clone, Debug)]
    struct RecordOnly;
    impl ShouldSample for RecordOnly {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            let decision = SamplingDecision::RecordOnly;
            SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::NONE }
        }
    }
    let recorded = Capture::with_sampler(RecordOnly);
    order(&recorded, false);
    assert!(recorded.spans().iter().all(|span| !span.is_sampled()));
    recorded.assert_trace(ORDER);

    let dropped = Capture::with_sampler(Sampler::AlwaysOff);
    order(&dropped, false);
    assert!(dropped.spans().is_empty() && dropped.open_spans().is_empty());
}

#[test]
fn an_unsampled_parent_is_respected() {
    let capture = Capture::new();
    let remote = SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::default(), true, TraceState::NONE);
    let cx = Context::new().with_remote_span_context(remote);
    capture.tracer("shop").start_with_context("process", &cx).end();
    assert!(capture.spans().is_empty());
}

#[test]
fn tracing_spans_land_in_the_trace_they_are_in() {
    let capture = Capture::new();
    let subscriber = tracing_subscriber::registry().with(capture.layer("warehouse"));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("process").in_scope(|| tracing::info_span!("reserve stock").in_scope(|| ()));
    });
    capture.assert_trace(
        "
        process           warehouse  INTERNAL
        └─ reserve stock  warehouse  INTERNAL
    ",
    );
}

#[test]
fn waiting_ends_with_the_last_span_whichever_thread_ends_it() {
    let capture = Capture::new();
    let worker = thread::spawn({
        let capture = capture.clone();
        move || order(&capture, false)
    });
    assert_eq!(capture.wait_for(4, Duration::from_secs(60)).len(), 4);
    worker.join().unwrap();

    let message = message(|| capture.wait_for(5, Duration::ZERO));
    assert!(message.starts_with("waited 0ns for 5 spans\nended:\n  publish orders"), "{message}");
}

#[tokio::test]
async fn waiting_needs_no_thread() {
    let capture = Capture::new();
    let task = tokio::spawn(capture.spans_ended(4));
    tokio::task::yield_now().await;
    order(&capture, false);
    assert_eq!(task.await.unwrap().len(), 4);
    assert!(capture.spans_ended(5).now_or_never().is_none());
}

#[test]
fn one_service_has_one_provider_and_its_name() {
    let capture = Capture::new();
    capture.tracer_provider("shop").tracer("a").start("one").end();
    capture.tracer_provider("shop").shutdown().unwrap();
    capture.tracer("shop").start("two").end();
    assert_eq!(capture.spans().len(), 1, "the second asked for got the provider that was shut down");
    drop(capture.settings("warehouse"));
    let text = format!("{capture:?}");
    assert_eq!(text, "Capture { ended: 1, open: 0 }");
}

#[test]
fn spans_and_measurements_outlive_the_last_capture_without_harm() {
    let (tracer, counter) = {
        let capture = Capture::new();
        let meter = capture.meter_provider("shop").meter("m");
        (capture.tracer("shop"), meter.u64_counter("sent").build())
    };
    tracer.start("late").end();
    counter.add(1, &[]);
}

/// The only test here that touches what is global to the process.
#[test]
fn installing_is_once_a_process() {
    let capture = Capture::new();
    capture.install("shop");
    capture.install("shop");
    global::tracer("library").start("checkout").end();
    global::meter("library").u64_counter("sent").build().add(1, &[]);
    assert_eq!(capture.span("checkout").service(), "shop");
    assert_eq!(capture.metric("sent").value(), 1.0);

    let other = message(|| Capture::new().install("shop"));
    assert!(other.contains("one for \"shop\" is installed in this process already"), "{other}");
    let renamed = message(|| capture.install("warehouse"));
    assert!(renamed.contains("cannot install the capture for \"warehouse\""), "{renamed}");
}
