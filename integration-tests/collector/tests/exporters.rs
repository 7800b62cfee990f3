//! The SDK's own exporters, and what arrives.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use opentelemetry::{
    Array, Context, InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    logs::{LogRecord as _, Logger as _, LoggerProvider as _},
    metrics::MeterProvider as _,
    trace::{
        Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState, Tracer as _,
        TracerProvider as _,
    },
};
use opentelemetry_otlp::{LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use test_collector::{Answers, Collector, Signal, unreachable};
use traced_envelope::testing::{Capture, CapturedSpan};

const LIMIT: Duration = Duration::from_secs(30);
const FORMS: [(Protocol, &str); 2] =
    [(Protocol::HttpBinary, "application/x-protobuf"), (Protocol::HttpJson, "application/json")];

fn resource() -> Resource {
    Resource::builder_empty().with_service_name("shop").build()
}

/// With `traced-telemetry`'s feature `tls` in the same build, the exporters' client wants one, for HTTP without TLS too.
fn provide_cryptography() {
    // An error: another test has installed it.
    rustls::crypto::ring::default_provider().install_default().ok();
}

fn exporter(endpoint: &str, protocol: Protocol) -> Result<SpanExporter> {
    provide_cryptography();
    let endpoint = format!("{endpoint}{}", Signal::Traces.path());
    let exporter = SpanExporter::builder().with_http().with_protocol(protocol).with_endpoint(endpoint);
    Ok(exporter.with_timeout(Duration::from_millis(500)).build()?)
}

fn provider(endpoint: &str, protocol: Protocol, capture: &Capture) -> Result<SdkTracerProvider> {
    Ok(SdkTracerProvider::builder()
        .with_span_processor(capture.span_processor("shop"))
        .with_batch_exporter(exporter(endpoint, protocol)?)
        .with_resource(resource())
        .build())
}

/// All that a span can have.
fn rich_trace(provider: &SdkTracerProvider) -> Result<()> {
    let state: TraceState = "vendor=1,other=2".parse()?;
    let remote =
        |id: u64| SpanContext::new(TraceId::from(0xabc), SpanId::from(id), TraceFlags::SAMPLED, true, state.clone());
    let scope = InstrumentationScope::builder("checkout")
        .with_version("1.2.3")
        .with_schema_url("https://opentelemetry.io/schemas/1.43.0")
        .with_attributes([KeyValue::new("scoped", true)]);
    let tracer = provider.tracer_with_scope(scope.build());
    let parent = Context::new().with_remote_span_context(remote(1));
    let mut span = tracer.span_builder("checkout").with_kind(SpanKind::Server).start_with_context(&tracer, &parent);
    for value in [
        Value::from("text"),
        Value::from(true),
        Value::from(-7),
        Value::from(0.5),
        Value::Array(Array::I64(vec![1, 2])),
        Value::Array(Array::F64(vec![1.5])),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::String(vec!["a".into(), "b".into()])),
    ] {
        span.set_attribute(KeyValue::new("key", value));
    }
    span.add_event("packed", vec![KeyValue::new("boxes", 2)]);
    let inside = Context::new().with_remote_span_context(span.span_context().clone());
    for kind in [SpanKind::Client, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal] {
        let links = vec![Link::new(remote(9), vec![KeyValue::new("why", "batch")], 0)];
        let builder = tracer.span_builder("inside").with_kind(kind).with_links(links);
        builder.start_with_context(&tracer, &inside).set_status(Status::Ok);
    }
    span.set_status(Status::error("no more beans"));
    Ok(())
}

/// The parts one by one: a text is the same text, wherever it is stored.
fn same(a: &CapturedSpan, b: &CapturedSpan) -> bool {
    (a.name(), a.service(), a.kind(), a.span_context()) == (b.name(), b.service(), b.kind(), b.span_context())
        && (a.parent_id(), a.parent_is_remote()) == (b.parent_id(), b.parent_is_remote())
        && (a.start(), a.end(), a.status()) == (b.start(), b.end(), b.status())
        && (a.attributes(), a.events(), a.links()) == (b.attributes(), b.events(), b.links())
        && a.scope() == b.scope()
        && a.scope().schema_url() == b.scope().schema_url()
}

#[test]
fn spans_come_out_as_they_went_in_whatever_the_form() -> Result<()> {
    for (protocol, content_type) in FORMS {
        let (collector, capture) = (Collector::start()?, Capture::new());
        let provider = provider(&collector.endpoint(), protocol, &capture)?;
        rich_trace(&provider)?;
        provider.force_flush()?;

        let received = collector.wait_until(LIMIT, |received| received.spans().len() == 5)?;
        for sent in capture.spans() {
            let arrived = received.spans().iter().find(|span| span.span_context() == sent.span_context());
            let arrived = arrived.with_context(|| format!("lost: {sent:#?}"))?;
            ensure!(same(arrived, &sent), "arrived as {content_type}:\n{arrived:#?}\nsent:\n{sent:#?}");
        }
        let line = format!("content-type: {content_type}");
        ensure!(received.headers().contains(&line), "{:?}", received.headers());
        ensure!(received.resources().len() == received.requests());
    }
    Ok(())
}

#[test]
fn a_forest_of_what_arrived_is_compared_and_drawn_like_one_in_memory() -> Result<()> {
    let (collector, capture) = (Collector::start()?, Capture::new());
    let provider = provider(&collector.endpoint(), Protocol::HttpBinary, &capture)?;
    let tracer = provider.tracer("checkout");
    tracer.in_span("checkout", |_| tracer.in_span("pay", |_| ()));
    provider.force_flush()?;

    let forest = collector.wait_until(LIMIT, |received| received.spans().len() == 2)?.forest();
    forest.assert_one_trace();
    forest.assert_trace(
        "
        checkout  shop  INTERNAL
          pay     shop  INTERNAL
        ",
    );
    ensure!(forest.to_svg() == capture.forest().to_svg(), "the pictures differ");
    Ok(())
}

#[test]
fn metrics_and_logs_arrive_whatever_the_form() -> Result<()> {
    provide_cryptography();
    for (protocol, _) in FORMS {
        let collector = Collector::start()?;
        let endpoint = |signal: Signal| format!("{}{}", collector.endpoint(), signal.path());

        let exporter = MetricExporter::builder().with_http().with_protocol(protocol);
        let exporter = exporter.with_endpoint(endpoint(Signal::Metrics)).build()?;
        let metrics = SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(resource()).build();
        metrics.meter("stock").u64_counter("stock.reserved").build().add(1, &[]);
        metrics.force_flush()?;

        let exporter = LogExporter::builder().with_http().with_protocol(protocol);
        let exporter = exporter.with_endpoint(endpoint(Signal::Logs)).build()?;
        let logs = SdkLoggerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        let logger = logs.logger("stock");
        let mut record = logger.create_log_record();
        record.set_event_name("low");
        logger.emit(record);
        logs.force_flush()?;

        let received = collector.received();
        let names: Vec<_> = received.metrics().map(|metric| metric.name.as_str()).collect();
        ensure!(names == ["stock.reserved"], "{names:?}");
        let events: Vec<_> = received.logs().map(|log| log.event_name.as_str()).collect();
        ensure!(events == ["low"], "{events:?}");
        ensure!((received.resource_metrics().len(), received.resource_logs().len()) == (1, 1));
        ensure!(received.resources().len() == 2 && received.requests() == 2);
        collector.clear();
        ensure!(collector.received().metrics().count() == 0);
    }
    Ok(())
}

#[test]
fn a_collector_that_refuses_or_never_answers_is_the_exporter_s_failure() -> Result<()> {
    for answers in [Answers::Refuses(400), Answers::Never] {
        let (collector, capture) = (Collector::answering(answers)?, Capture::new());
        let provider = provider(&collector.endpoint(), Protocol::HttpBinary, &capture)?;
        rich_trace(&provider)?;
        let start = Instant::now();
        ensure!(provider.force_flush().is_err(), "{answers:?} was taken for a success");
        ensure!(start.elapsed() < LIMIT);
        let received = collector.received();
        ensure!(received.requests() > 0 && received.spans().is_empty(), "{received:?}");
    }
    Ok(())
}

#[test]
fn what_was_taken_is_forwarded_as_it_came() -> Result<()> {
    let forwarded = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&forwarded);
    let collector = Collector::forwarding(move |export| kept.lock().unwrap().push(export))?;
    let capture = Capture::new();
    let provider = provider(&collector.endpoint(), Protocol::HttpJson, &capture)?;
    provider.tracer("checkout").in_span("checkout", |_| ());
    provider.force_flush()?;

    let forwarded = forwarded.lock().unwrap().clone();
    let [export] = &forwarded[..] else { anyhow::bail!("{forwarded:?}") };
    ensure!(export.signal == Signal::Traces);
    ensure!(export.headers.contains(&("content-type".to_owned(), "application/json".to_owned())));
    ensure!(!export.headers.iter().any(|(name, _)| name == "host"), "{:?}", export.headers);
    ensure!(String::from_utf8_lossy(&export.body).contains("resourceSpans"));
    Ok(())
}

/// The status of an answer.
fn post(collector: &Collector, headers: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(collector.endpoint().trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "POST {path} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8(answer)?.rsplit(' ').next().context("no status")?.to_owned())
}

#[test]
fn requests_that_are_none_of_otlp_are_refused() -> Result<()> {
    let collector = Collector::start()?;
    let json = "Content-Type: application/json\r\n";
    for (headers, path, body, status) in [
        (json, "/v1/traces", "{}", "200"),
        ("content-type: application/json; charset=utf-8\r\n", "/v1/logs", "{}", "200"),
        (json, "/v1/traces", "{", "400"),
        ("Content-Type: application/x-protobuf\r\n", "/v1/metrics", "{}", "400"),
        (json, "/v2/traces", "{}", "404"),
        ("", "/v1/traces", "{}", "415"),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "/v1/traces", "{}", "415"),
    ] {
        let answer = post(&collector, headers, path, body)?;
        ensure!(answer == status, "{headers}{path} {body}: {answer} instead of {status}");
    }
    Ok(())
}

#[test]
fn waiting_ends_with_an_export_or_with_its_limit() -> Result<()> {
    let (collector, capture) = (Collector::start()?, Capture::new());
    let provider = provider(&collector.endpoint(), Protocol::HttpBinary, &capture)?;
    let why = collector.wait_until(Duration::from_millis(20), |received| !received.spans().is_empty()).unwrap_err();
    ensure!(why.to_string() == "waited 20ms for what did not arrive; there are 0 spans", "{why}");

    let sending = thread::spawn(move || {
        provider.tracer("checkout").in_span("checkout", |_| ());
        provider.force_flush()
    });
    collector.wait_until(LIMIT, |received| !received.spans().is_empty())?;
    sending.join().expect("no panic")?;

    let why = collector.wait_until(Duration::ZERO, |received| received.spans().len() > 1).unwrap_err();
    ensure!(why.to_string().ends_with("there are 1 spans:\ncheckout  shop  INTERNAL\n"), "{why}");
    ensure!(why.received().spans().len() == 1);
    Ok(())
}

#[test]
fn nothing_listens_where_a_collector_was_dropped_or_never_was() -> Result<()> {
    let collector = Collector::start()?;
    let address = collector.endpoint().trim_start_matches("http://").to_owned();
    drop(collector);
    let start = Instant::now();
    while TcpStream::connect(&address).is_ok() {
        ensure!(start.elapsed() < LIMIT, "it still listens");
        thread::yield_now();
    }
    ensure!(TcpStream::connect(unreachable()?.trim_start_matches("http://")).is_err());
    Ok(())
}
