//! A capture sees what services do, and its assertions fail when they should.
#![cfg(feature = "testing")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use opentelemetry::{
    Context, KeyValue, TraceFlags, TraceId, global,
    metrics::MeterProvider,
    trace::{
        Link, Span, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer,
        TracerProvider,
    },
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use traced_envelope::testing::Capture;
use tracing_subscriber::layer::SubscriberExt;

/// What a failed assertion says.
fn message<T>(assertion: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(assertion()))) else {
        panic!("the assertion must fail");
    };
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| "no text".to_owned())
}

/// A message from the shop to the warehouse, whose handler fails if told so.
fn order(capture: &Capture, fails: bool) {
    let (shop, warehouse) = (capture.tracer("shop"), capture.tracer("warehouse"));
    shop.in_span("checkout", |_| {
        let mut sent = shop
            .span_builder("publish orders")
            .with_kind(SpanKind::Producer)
            .with_attributes([KeyValue::new("messaging.system", "rabbitmq")])
            .start(&shop);
        let context = sent.span_context().clone();
        sent.end();
        let remote = SpanContext::new(
            context.trace_id(),
            context.span_id(),
            context.trace_flags(),
            true,
            context.trace_state().clone(),
        );
        let mut process = warehouse
            .span_builder("process orders")
            .with_kind(SpanKind::Consumer)
            .with_links(vec![Link::with_context(remote.clone())])
            .start_with_context(&warehouse, &Context::new().with_remote_span_context(remote));
        if fails {
            process.set_attribute(KeyValue::new("error.type", "OutOfStock"));
            process.set_status(Status::error("no more beans"));
        }
        let cx = Context::new().with_span(process);
        warehouse.start_with_context("reserve stock", &cx).end();
    });
}

const ORDER: &str = "
    checkout                shop       INTERNAL
    └─ publish orders       shop       PRODUCER  {messaging.system=rabbitmq}
       └─ process orders    warehouse  CONSUMER  → publish orders
          └─ reserve stock  warehouse  INTERNAL
";

#[test]
fn a_trace_through_two_services_is_what_its_drawing_says() {
    let capture = Capture::new();
    order(&capture, false);
    capture.assert_trace(ORDER);
    capture.assert_no_open_spans();
    assert_eq!(
        capture.assert_one_trace(),
        capture.span("checkout").trace_id()
    );

    let process = capture.span("process orders");
    assert_eq!(process.service(), "warehouse");
    assert_eq!(
        process.parent_id(),
        Some(capture.span("publish orders").span_id())
    );
    assert!(process.parent_is_remote());
    assert!(process.is_sampled());
    assert_eq!(process.scope().name(), "warehouse");
}

#[test]
fn the_text_of_a_forest_is_an_expectation_that_it_meets() {
    let capture = Capture::new();
    order(&capture, true);
    order(&capture, false);
    capture.assert_trace(&capture.forest().to_string());
}

#[test]
fn a_failed_comparison_prints_both_traces_and_marks_the_difference() {
    let capture = Capture::new();
    order(&capture, true);
    let _open = capture.tracer("shop").start("forgotten");
    let message = message(|| capture.assert_trace(ORDER));
    let expected = "the captured trace is not the expected one

expected:
  checkout                shop       INTERNAL
  └─ publish orders       shop       PRODUCER  {messaging.system=rabbitmq}
     └─ process orders    warehouse  CONSUMER  → publish orders
        └─ reserve stock  warehouse  INTERNAL

captured:
  checkout                shop       INTERNAL
  └─ publish orders       shop       PRODUCER
     └─ process orders    warehouse  CONSUMER  → publish orders  ✗ OutOfStock
        └─ reserve stock  warehouse  INTERNAL

difference (- expected, + captured):
  checkout                shop       INTERNAL
     publish orders       shop       PRODUCER  {messaging.system=rabbitmq}
-       process orders    warehouse  CONSUMER  → publish orders
+       process orders    warehouse  CONSUMER  → publish orders  ✗ OutOfStock
           reserve stock  warehouse  INTERNAL

still open, so not compared:
  forgotten  shop  INTERNAL  trace ";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn nothing_captured_is_not_what_was_expected() {
    let message = message(|| Capture::new().assert_trace("checkout  shop  INTERNAL"));
    assert!(message.contains("captured:\n  (none)"), "{message}");
    Capture::new().assert_trace("");
}

#[test]
fn an_expectation_that_cannot_be_read_names_its_line() {
    let message = message(|| Capture::new().assert_trace("\n  checkout  shop\n"));
    assert!(
        message.starts_with("line 2 of the expected trace cannot be read"),
        "{message}"
    );
}

#[test]
fn two_traces_are_not_one_and_neither_is_none() {
    let capture = Capture::new();
    let none = message(|| capture.assert_one_trace());
    assert!(none.starts_with("expected one trace, captured 0"), "{none}");
    order(&capture, false);
    capture.tracer("reports").in_span("nightly", |_| ());
    let two = message(|| capture.assert_one_trace());
    let id = capture.span("nightly").trace_id();
    assert!(two.starts_with("expected one trace, captured 2"), "{two}");
    assert!(
        two.contains(&format!("trace {id}:\n  nightly  reports  INTERNAL\n")),
        "{two}"
    );
}

#[test]
fn an_open_span_is_reported() {
    let capture = Capture::new();
    let mut span = capture.tracer("shop").start("checkout");
    let message = message(|| capture.assert_no_open_spans());
    assert!(
        message.contains("1 have not ended:\n  checkout  shop  INTERNAL"),
        "{message}"
    );
    span.end();
    capture.assert_no_open_spans();
}

#[test]
fn a_span_must_be_the_only_one_of_its_name() {
    let capture = Capture::new();
    order(&capture, false);
    order(&capture, false);
    let twice = message(|| capture.span("checkout"));
    assert!(
        twice.starts_with("expected one span named \"checkout\", captured 2"),
        "{twice}"
    );
    let never = message(|| capture.span("cash"));
    assert!(
        never.contains("captured 0\nended:\n  publish orders  shop  PRODUCER"),
        "{never}"
    );
}

#[test]
fn a_child_whose_parent_is_still_open_is_marked() {
    let capture = Capture::new();
    let tracer = capture.tracer("shop");
    let cx = Context::new().with_span(tracer.start("checkout"));
    tracer.start_with_context("pay", &cx).end();
    capture.assert_trace("pay  shop  INTERNAL  ⇠ missing parent");
    cx.span().end();
    capture.assert_trace("checkout  shop  INTERNAL\n  pay  shop  INTERNAL");
}

#[test]
fn a_parent_from_elsewhere_makes_a_marked_root() {
    let capture = Capture::new();
    let remote = SpanContext::new(
        TraceId::from(7),
        opentelemetry::SpanId::from(8),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let cx = Context::new().with_remote_span_context(remote);
    capture
        .tracer("shop")
        .start_with_context("process", &cx)
        .end();
    capture.assert_trace("process  shop  INTERNAL  ⇠ remote parent");
    assert!(
        message(|| capture.assert_trace("process  shop  INTERNAL")).contains("⇠ remote parent")
    );
}

#[test]
fn clearing_forgets_spans_and_measurements() {
    let capture = Capture::new();
    let counter = capture
        .meter_provider("shop")
        .meter("m")
        .u64_counter("sent")
        .build();
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
        let histogram = meter
            .f64_histogram("took")
            .with_unit("s")
            .with_boundaries(vec![0.005, 0.01])
            .build();
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
        let mut series: Vec<_> = metrics
            .iter()
            .filter(|m| m.name() == name && m.service() == "shop")
            .collect();
        series.sort_by(|a, b| b.value().total_cmp(&a.value()));
        series
    };
    let sent = of_shop("sent");
    assert_eq!(
        sent.iter().map(|m| m.value()).collect::<Vec<_>>(),
        [5.0, 1.0]
    );
    assert_eq!((sent[0].unit(), sent[0].count()), ("{message}", None));
    assert_eq!(sent[0].attribute("a"), Some(&1.into()));
    let took = of_shop("took");
    assert_eq!((took[0].value(), took[0].count()), (0.75, Some(2)));
    assert_eq!(took[0].bounds(), [0.005, 0.01]);
    assert_eq!(of_shop("level")[0].value(), 3.0);

    let message = message(|| capture.metric("sent"));
    assert!(
        message.contains("  sent  shop  {a=1}  5 {message}"),
        "{message}"
    );
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
            SamplingResult {
                decision,
                attributes: Vec::new(),
                trace_state: TraceState::NONE,
            }
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
    let remote = SpanContext::new(
        TraceId::from(7),
        opentelemetry::SpanId::from(8),
        TraceFlags::default(),
        true,
        TraceState::NONE,
    );
    let cx = Context::new().with_remote_span_context(remote);
    capture
        .tracer("shop")
        .start_with_context("process", &cx)
        .end();
    assert!(capture.spans().is_empty());
}

#[test]
fn tracing_spans_land_in_the_trace_they_are_in() {
    let capture = Capture::new();
    let subscriber = tracing_subscriber::registry().with(capture.layer("warehouse"));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("process")
            .in_scope(|| tracing::info_span!("reserve stock").in_scope(|| ()));
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
    assert!(
        message.starts_with("waited 0ns for 5 spans\nended:\n  publish orders"),
        "{message}"
    );
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
    capture
        .tracer_provider("shop")
        .tracer("a")
        .start("one")
        .end();
    capture.tracer_provider("shop").shutdown().unwrap();
    capture.tracer("shop").start("two").end();
    assert_eq!(
        capture.spans().len(),
        1,
        "the second asked for got the provider that was shut down"
    );
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
    global::meter("library")
        .u64_counter("sent")
        .build()
        .add(1, &[]);
    assert_eq!(capture.span("checkout").service(), "shop");
    assert_eq!(capture.metric("sent").value(), 1.0);

    let other = message(|| Capture::new().install("shop"));
    assert!(
        other.contains("one for \"shop\" is installed in this process already"),
        "{other}"
    );
    let renamed = message(|| capture.install("warehouse"));
    assert!(
        renamed.contains("cannot install the capture for \"warehouse\""),
        "{renamed}"
    );
}
