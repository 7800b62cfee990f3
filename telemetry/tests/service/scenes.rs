//! What a service does, each in a process of its own: providers, propagator and subscriber are process-wide.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _};
use opentelemetry::{Context, global};
use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry};
use traced_telemetry::{Guard, Setup, health};

pub(crate) fn play(scene: &str) -> Result<()> {
    match scene {
        "order" => order(),
        "order in tokio" => tokio::runtime::Builder::new_current_thread().build()?.block_on(async { order() }),
        "order in tokio with threads" => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?.block_on(async { order() })
        }
        "dropped guard" => dropped_guard(),
        "many spans" => many_spans(),
        "headers" => headers(),
        "twice" => twice(),
        "foreign subscriber" => foreign_subscriber(),
        "foreign subscriber in tokio" => {
            tokio::runtime::Builder::new_current_thread().build()?.block_on(async { foreign_subscriber() })
        }
        "failed first" => failed_first(),
        "quiet" => quiet(),
        _ => bail!("no scene {scene}"),
    }
}

fn init() -> Result<Guard> {
    let setup = Setup::new("order-service").version("1.2.3").environment("test");
    Ok(setup.shutdown_limit(Duration::from_secs(20)).init()?)
}

/// A span by `tracing`, one by OpenTelemetry inside of it, a log line in each, a metric, and a message without a context.
fn work() {
    tracing::info!("outside");
    tracing::info_span!("checkout").in_scope(|| {
        tracing::info!(order = 42, express = true, "taken");
        global::tracer("stock").in_span("reserve", |_| tracing::warn!(name: "low", "running low"));
    });
    global::meter("stock").u64_counter("stock.reserved").build().add(1, &[]);
    let telemetry = Telemetry::new("nats", &Settings::default());
    telemetry
        .process(Operation::new("process", "orders"), &MessageHeaders::new())
        .in_scope(|| Ok::<_, std::fmt::Error>(()))
        .ok();
}

/// Not by `println!`: what the test program captures of its threads is another thing than what a service writes.
fn result(value: &impl std::fmt::Display) {
    writeln!(std::io::stdout(), "result {value}").ok();
}

fn order() -> Result<()> {
    let telemetry = init()?;
    work();
    let ended = telemetry.shutdown();
    result(&health().to_json());
    Ok(ended?)
}

/// The log line of what could not be sent is the test's.
fn dropped_guard() -> Result<()> {
    let telemetry = Setup::new("order-service").shutdown_limit(Duration::from_millis(300)).init()?;
    work();
    let start = Instant::now();
    drop(telemetry);
    ensure!(start.elapsed() < Duration::from_secs(10), "dropping the guard took {:?}", start.elapsed());
    result(&health().to_json());
    Ok(())
}

fn many_spans() -> Result<()> {
    let telemetry = Setup::new("order-service").shutdown_limit(Duration::from_millis(300)).init()?;
    let tracer = global::tracer("stock");
    for _ in 0..100 {
        drop(tracer.start("reserve"));
    }
    result(&health().to_json());
    drop(telemetry);
    Ok(())
}

/// What a context becomes on a message, and whether it comes back.
fn headers() -> Result<()> {
    let _telemetry = init()?;
    let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
    let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE);
    let mut headers = HashMap::new();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&Context::new().with_remote_span_context(span.clone()), &mut headers);
    });
    let back = global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &headers));
    // An adapter that has no propagator of its own asks for the process's.
    let mut message = MessageHeaders::new();
    drop(Telemetry::new("nats", &Settings::default()).send(Operation::new("publish", "orders"), &mut message));
    let mut names: Vec<_> = headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    let of_message = opentelemetry::propagation::Extractor::keys(&message).len();
    result(&format!("{} {} {}", names.join(","), back.span().span_context().trace_id() == trace_id, of_message > 0));
    Ok(())
}

fn twice() -> Result<()> {
    let _telemetry = init()?;
    let error = traced_telemetry::init("another").err().context("a second set-up")?;
    ensure!(error.is_already_initialized());
    ensure!(health().service == "order-service");
    result(&error);
    Ok(())
}

fn foreign_subscriber() -> Result<()> {
    tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
    let error = init().err().context("a second subscriber")?;
    ensure!(!health().provider_installed);
    result(&error);
    Ok(())
}

/// What the environment got wrong installs nothing: not even the subscriber.
fn failed_first() -> Result<()> {
    let error = init().err().context("no error")?;
    ensure!(tracing::subscriber::set_global_default(tracing_subscriber::registry()).is_ok(), "a subscriber was left");
    result(&error);
    Ok(())
}

/// The log is turned down; traces stay.
fn quiet() -> Result<()> {
    let telemetry = init()?;
    tracing::info_span!("checkout").in_scope(|| tracing::info!("taken"));
    result(&health().to_json());
    Ok(telemetry.shutdown()?)
}
