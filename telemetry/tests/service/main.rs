//! Whole services, each in a process of its own, and the collector that they send to.

#![allow(clippy::indexing_slicing, reason = "JSON has no index that panics when it is read")]

#[cfg(feature = "grpc")]
mod grpc;
mod process;
mod scenes;

use anyhow::{Context as _, Result, ensure};
use process::service;
use test_collector::{
    Answers, Collector,
    opentelemetry_proto::tonic::{
        common::v1::{KeyValue, any_value::Value},
        logs::v1::LogRecord,
    },
    unreachable,
};
use traced_envelope::testing::CapturedSpan;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What [`service`] runs; nothing where a person asks for the ignored tests.
#[test]
#[ignore = "the other tests run it"]
fn a_service() -> Result<()> {
    match std::env::var("TRACED_TEST_SCENE") {
        Ok(scene) => scenes::play(&scene),
        Err(_) => Ok(()),
    }
}

#[test]
fn all_three_signals_arrive_over_http_and_belong_together() -> Result<()> {
    let collector = Collector::start()?;
    let variables = [
        // What is empty is unset, and white space is no part of a value: for the exporters too.
        (ENDPOINT, &*format!(" {} ", collector.endpoint())),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of-a%20test"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ""),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop"),
    ];
    for scene in ["order", "order in tokio", "order in tokio with threads"] {
        let written = service(scene, &variables)?;
        let health = written.health()?;
        assert_eq!(health["status"], "ok", "{scene}: {health:#}");
        assert_eq!((&health["spans"]["created"], &health["spans"]["exported"]), (&3.into(), &3.into()), "{health:#}");
        assert_eq!((&health["logs"]["created"], &health["logs"]["exported"]), (&3.into(), &3.into()), "{health:#}");
        assert_eq!((&health["spans"]["waiting"], &health["spans"]["dropped"]), (&0.into(), &0.into()), "{health:#}");
        assert_eq!(health["metrics"]["export_errors"], 0, "{health:#}");
        assert_eq!(health["without_context"][0]["destination"], "orders");
        assert_eq!(health["without_context"][0]["absent"], 1);
    }

    let received = collector.received();
    assert_eq!((received.spans().len(), received.logs().count()), (9, 9));
    let requests = |header: &str| received.headers().iter().filter(|line| *line == header).count();
    assert_eq!(requests("api-key: of-a test"), received.requests(), "{:?}", received.headers());
    assert!(received.headers().iter().any(|line| line == "content-type: application/x-protobuf"));
    for metric in ["stock.reserved", "traced.context.missing", "messaging.process.duration"] {
        assert!(received.metrics().any(|found| found.name == metric), "no {metric}");
    }
    for resource in received.resources() {
        for (key, value) in [
            ("service.name", "order-service"),
            ("service.version", "1.2.3"),
            ("deployment.environment.name", "test"),
            ("service.namespace", "shop"),
        ] {
            assert_eq!(text(&resource.attributes, key), Some(value), "{resource:?}");
        }
        assert!(text(&resource.attributes, "host.name").is_some_and(|name| !name.is_empty()), "{resource:?}");
    }
    let checkout = received.spans().iter().find(|span| span.name() == "checkout").context("no checkout")?;
    assert_eq!(checkout.attribute("code.file.path"), None, "a path of the machine that built the program");
    let inside =
        received.spans().iter().find(|span| span.parent_id() == Some(checkout.span_id())).context("no child")?;
    assert_eq!((inside.name(), inside.trace_id()), ("reserve", checkout.trace_id()));
    let is_of = |log: &LogRecord, span: &CapturedSpan| {
        (&log.trace_id[..], &log.span_id[..]) == (&span.trace_id().to_bytes()[..], &span.span_id().to_bytes()[..])
    };
    assert!(received.logs().any(|log| is_of(log, checkout)));
    assert!(received.logs().any(|log| is_of(log, inside) && log.event_name == "low"));
    assert_eq!(received.logs().filter(|log| log.trace_id.is_empty()).count(), 3, "those outside of a span");
    Ok(())
}

/// The exporter's own default is JSON where that feature is on.
#[cfg(feature = "http-json")]
#[test]
fn json_is_sent_where_it_is_asked_for_only() -> Result<()> {
    for (protocol, expected) in [("", "application/x-protobuf"), ("http/json", "application/json")] {
        let collector = Collector::start()?;
        let variables = [(ENDPOINT, &*collector.endpoint()), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        service("order", &variables)?;
        let received = collector.received();
        let types: Vec<_> = received.headers().iter().filter_map(|line| line.strip_prefix("content-type: ")).collect();
        assert!(types.len() == 3 && types.iter().all(|found| *found == expected), "{protocol}: {types:?}");
    }
    Ok(())
}

#[test]
fn log_lines_carry_the_ids_of_the_current_span_whoever_made_it() -> Result<()> {
    let collector = Collector::start()?;
    let written = service("order", &[(ENDPOINT, &collector.endpoint())])?;
    let received = collector.received();
    for (message, span) in [("taken", "checkout"), ("running low", "reserve")] {
        let line = written.log(message)?;
        let span = received.spans().iter().find(|found| found.name() == span).context("no span")?;
        assert_eq!(line["trace_id"], span.trace_id().to_string(), "{line:#}");
        assert_eq!(line["span_id"], span.span_id().to_string(), "{line:#}");
        assert_eq!((&line["span"], &line["trace_flags"]), (&"checkout".into(), &"01".into()), "{line:#}");
    }
    let line = written.log("taken")?;
    assert_eq!(line["fields"], serde_json::json!({ "order": 42, "express": true }));
    assert_eq!(line["level"], "INFO");
    assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line:#}");
    assert!(written.log("outside")?["trace_id"].is_null());
    Ok(())
}

#[test]
fn without_an_endpoint_the_console_shows_it_all() -> Result<()> {
    let written = service("order", &[])?;
    let line = written.log("taken")?;
    let trace = format!("trace={}", line["trace_id"].as_str().unwrap_or_default());
    let parent = format!("parent={}", line["span_id"].as_str().unwrap_or_default());
    assert!(written.span("checkout")?.contains(&trace));
    let reserve = written.span("reserve")?;
    assert!(reserve.contains(&trace) && reserve.contains(&parent), "{reserve}");
    assert!(written.span("process orders")?.contains("messaging.system=nats"));
    assert!(written.lines.iter().any(|line| line.starts_with("metric  stock.reserved  1 ")), "{:#?}", written.lines);
    let health = written.health()?;
    assert_eq!((&health["spans"]["exporter"], &health["spans"]["exported"]), (&"console".into(), &3.into()));

    let written = service("order", &[("TRACED_LOG_LINES", "text")])?;
    let line = written.lines.iter().find(|line| line.contains("taken")).context("no text line")?;
    assert!(line.contains("INFO checkout:") && line.contains("order=42") && line.contains(" trace_id="), "{line}");
    Ok(())
}

#[test]
fn a_disabled_sdk_sends_nothing_and_lets_contexts_through() -> Result<()> {
    let collector = Collector::start()?;
    let variables = [(ENDPOINT, &*collector.endpoint()), ("OTEL_SDK_DISABLED", "true")];
    let written = service("order", &variables)?;
    let health = written.health()?;
    assert_eq!((&health["status"], &health["spans"]["created"]), (&"disabled".into(), &0.into()));
    assert!(written.log("taken")?["trace_id"].is_null());
    assert!(collector.received().requests() == 0, "something was sent");
    assert_eq!(service("headers", &variables)?.result()?, "traceparent true false");
    Ok(())
}

#[test]
fn exporters_are_chosen_signal_by_signal() -> Result<()> {
    let collector = Collector::start()?;
    let variables =
        [(ENDPOINT, &*collector.endpoint()), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")];
    let health = service("order", &variables)?.health()?;
    assert_eq!((&health["spans"]["exporter"], &health["spans"]["created"]), (&"none".into(), &3.into()));
    let received = collector.received();
    assert_eq!((received.spans().len(), received.metrics().count(), received.logs().count()), (0, 0, 3));

    let collector = Collector::start()?;
    let endpoint = format!("{}/v1/traces", collector.endpoint());
    service("order", &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint)])?;
    let received = collector.received();
    assert_eq!((received.spans().len(), received.metrics().count(), received.logs().count()), (3, 0, 0));
    Ok(())
}

#[test]
fn a_sampler_that_wants_no_span_gets_none() -> Result<()> {
    let health = service("order", &[("OTEL_TRACES_SAMPLER", "always_off")])?.health()?;
    assert_eq!((&health["spans"]["created"], &health["provider_installed"]), (&0.into(), &true.into()));
    Ok(())
}

#[test]
fn propagators_are_the_ones_that_are_named() -> Result<()> {
    for (list, expected) in [
        ("", "traceparent true true"),
        ("b3", "b3 true true"),
        ("xray", "x-amzn-trace-id true true"),
        ("b3,tracecontext", "b3,traceparent true true"),
        ("none", " false false"),
    ] {
        let written = service("headers", &[("OTEL_PROPAGATORS", list)])?;
        assert_eq!(written.result()?, expected, "{list}");
    }
    Ok(())
}

#[test]
fn the_log_s_level_is_not_the_traces() -> Result<()> {
    let written = service("quiet", &[("RUST_LOG", "error")])?;
    assert_eq!(written.health()?["spans"]["created"], 1);
    assert!(written.log("taken").is_err());
    Ok(())
}

#[test]
fn malformed_variables_are_warned_of_in_one_line_each_and_the_service_runs() -> Result<()> {
    let variables = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_PROPAGATORS", "jaeger"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ("RUST_LOG", "info,shop=loud"),
    ];
    let written = service("order", &variables)?;
    let health = written.health()?;
    assert_eq!((&health["status"], &health["spans"]["created"]), (&"ok".into(), &3.into()));
    for (name, value) in variables {
        let line = written.log(name)?;
        let message = line["message"].as_str().unwrap_or_default();
        assert!(line["level"] == "WARN" && message.contains(value) && message.contains("takes"), "{line:#}");
    }
    assert_eq!(health["warnings"].as_array().map(Vec::len), Some(variables.len()), "{health:#}");
    Ok(())
}

#[test]
fn an_endpoint_that_is_no_url_is_an_error_that_leaves_nothing_behind() -> Result<()> {
    let written = service("failed first", &[(ENDPOINT, "localhost:4318")])?;
    assert_eq!(
        written.result()?,
        "OTEL_EXPORTER_OTLP_ENDPOINT takes a URL such as http://127.0.0.1:4318, not `localhost:4318`"
    );
    Ok(())
}

#[test]
fn a_second_set_up_is_an_error() -> Result<()> {
    assert_eq!(service("twice", &[])?.result()?, "telemetry was set up in this process before");
    let written = service("foreign subscriber", &[])?;
    assert!(written.result()?.starts_with("a `tracing` subscriber was installed"), "{}", written.result()?);
    Ok(())
}

#[test]
fn a_collector_that_never_answers_holds_no_program_up() -> Result<()> {
    let collector = Collector::answering(Answers::Never)?;
    let written = service("dropped guard", &[(ENDPOINT, &collector.endpoint())])?;
    let line = written.log("telemetry was not sent")?;
    assert!(line["message"].as_str().is_some_and(|line| line.contains("within 300ms")), "{line:#}");
    Ok(())
}

#[test]
fn a_collector_that_is_away_is_in_the_report() -> Result<()> {
    let variables = [(ENDPOINT, &*unreachable()?), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    let health = service("order", &variables)?.health()?;
    assert_eq!(health["status"], "degraded", "{health:#}");
    let spans = &health["spans"];
    assert_eq!(
        (&spans["lost"], &spans["exported"], &spans["waiting"]),
        (&3.into(), &0.into(), &0.into()),
        "{health:#}"
    );
    assert_eq!(spans["export_errors"], 1, "{health:#}");
    assert!(spans["last_error"]["message"].as_str().is_some_and(|error| !error.is_empty()), "{health:#}");
    Ok(())
}

/// The SDK's processor does not tell what it drops.
#[test]
fn spans_that_find_no_room_are_counted() -> Result<()> {
    let collector = Collector::answering(Answers::Never)?;
    let variables = [
        (ENDPOINT, &*collector.endpoint()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let health = service("many spans", &variables)?.health()?;
    let number = |key: &str| health["spans"][key].as_u64().with_context(|| key.to_owned());
    assert_eq!((number("created")?, number("queue")?), (100, 4));
    // Besides those that wait, one batch of at most 4 is on its way for good.
    let on_their_way = 100 - number("dropped")? - number("waiting")?;
    ensure!(on_their_way <= 4 && number("waiting")? <= 4, "{health:#}");
    ensure!(number("dropped")? >= 92, "{health:#}");
    Ok(())
}

/// A text among attributes.
fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
