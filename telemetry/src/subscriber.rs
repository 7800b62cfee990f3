//! The process's `tracing` subscriber: log lines, spans, and log records for OTLP.

use crate::Error;
use crate::log_lines::{Json, LogLines, Text};
use crate::variables::Variables;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};

/// The crates by which telemetry travels. Their spans and events would make more telemetry, without end.
const CARRIERS: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "tonic", "tower"];

/// The crates whose own spans last as long as a connection: a trace that never ends, or one more span in the trace of the request that
/// happened to connect. (lapin's `io_loop`, at whichever level is open.) Their events stay.
const CONNECTIONS: [&str; 1] = ["lapin"];

/// As the variables want them.
pub(crate) struct Wanted {
    lines: LogLines,
    /// Which events are log lines: `RUST_LOG`.
    log: Targets,
    /// Which `tracing` spans become spans. Not `RUST_LOG`: who turns the log down wants to keep the traces.
    spans: LevelFilter,
}

impl Wanted {
    pub(crate) fn read(variables: &mut Variables<'_>, lines: LogLines, spans: LevelFilter) -> Self {
        let named = variables.word("TRACED_LOG_LINES", "one of text, json and off", |value| match value {
            "text" => Some(LogLines::Text),
            "json" => Some(LogLines::Json),
            "off" => Some(LogLines::Off),
            _ => None,
        });
        let takes = "directives such as info,my_crate=debug (info,opentelemetry=warn is used)";
        let log = variables.parsed("RUST_LOG", takes, |value| value.parse().ok());
        let lines = match named.unwrap_or(lines) {
            LogLines::Auto if std::io::stdout().is_terminal() => LogLines::Text,
            LogLines::Auto => LogLines::Json,
            other => other,
        };
        Self { lines, log: log.unwrap_or_else(by_default), spans }
    }

    /// # Errors
    ///
    /// Another subscriber is installed.
    pub(crate) fn install(
        self,
        service: &str,
        tracers: Option<&SdkTracerProvider>,
        loggers: Option<&SdkLoggerProvider>,
    ) -> Result<(), Error> {
        let ansi = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let lines = tracing_subscriber::fmt::layer().with_ansi(ansi);
        let lines = match self.lines {
            LogLines::Off => None,
            LogLines::Json => Some(lines.event_format(Json).with_filter(self.log.clone()).boxed()),
            LogLines::Text | LogLines::Auto => {
                Some(lines.event_format(Text { ansi }).with_filter(self.log.clone()).boxed())
            }
        };
        let spans = tracers.map(|tracers| {
            // Without files and threads: six attributes more on each span, and paths of the machine that built the program.
            let layer = tracing_opentelemetry::layer().with_location(false).with_threads(false);
            let layer = layer.with_tracer(tracers.tracer(service.to_owned()));
            layer.with_filter(self.spans.and(without_carriers()).and(without_connections()))
        });
        let records = loggers
            .map(|loggers| OpenTelemetryTracingBridge::new(loggers).with_filter(self.log.and(without_carriers())));
        // Spans first: they are current before a line is written.
        let subscriber = tracing_subscriber::registry().with(spans).with(records).with(lines);
        tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::subscriber())
    }
}

/// OpenTelemetry's own only from warnings on: that it was set up is no news.
fn by_default() -> Targets {
    Targets::new().with_default(LevelFilter::INFO).with_target("opentelemetry", LevelFilter::WARN)
}

fn without_carriers() -> FilterFn {
    FilterFn::new(|metadata| !is_of_carrier(metadata.target()))
}

/// Events pass: on a span they tell what happened in it.
fn without_connections() -> FilterFn {
    FilterFn::new(|metadata| metadata.is_event() || !CONNECTIONS.contains(&krate(metadata.target())))
}

fn krate(target: &str) -> &str {
    target.split_once("::").map_or(target, |(krate, _)| krate)
}

/// Whole names of crates: `tower_http`, with the spans of axum's requests, is not `tower`. OpenTelemetry's own are many.
fn is_of_carrier(target: &str) -> bool {
    let krate = krate(target);
    CARRIERS.contains(&krate) || krate.starts_with("opentelemetry")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::span::{Attributes, Id};
    use tracing::{Event, Level, Subscriber};
    use tracing_subscriber::layer::Context;

    #[test]
    fn the_logs_variable_decides_about_lines_alone() {
        let given = [("RUST_LOG", "warn,shop=debug"), ("TRACED_LOG_LINES", "json")];
        let mut variables = Variables::given(&given);
        let wanted = Wanted::read(&mut variables, LogLines::Text, LevelFilter::INFO);
        assert_eq!((wanted.lines, wanted.spans), (LogLines::Json, LevelFilter::INFO));
        assert!(wanted.log.would_enable("shop", &Level::DEBUG) && !wanted.log.would_enable("other", &Level::INFO));
        assert_eq!(variables.into_warnings(), Vec::<String>::new());
    }

    #[test]
    fn what_is_malformed_is_warned_of() {
        let given = [("RUST_LOG", "shop=loud"), ("TRACED_LOG_LINES", "xml")];
        let mut variables = Variables::given(&given);
        let wanted = Wanted::read(&mut variables, LogLines::Text, LevelFilter::INFO);
        assert!(wanted.lines == LogLines::Text && wanted.log.would_enable("any", &Level::INFO));
        let warnings = variables.into_warnings();
        assert!(warnings[0].starts_with("TRACED_LOG_LINES") && warnings[1].starts_with("RUST_LOG"), "{warnings:?}");
    }

    #[test]
    fn what_carries_telemetry_makes_none() {
        for carrier in ["hyper_util::client", "opentelemetry_sdk", "opentelemetry-otlp", "h2::proto", "tower"] {
            assert!(is_of_carrier(carrier), "{carrier}");
        }
        for other in ["shop", "tower_http::trace::make_span", "reqwest_tracing", "h2o::shop", "shop::tower"] {
            assert!(!is_of_carrier(other), "{other}");
        }
    }
    /// Names of the spans and events that come through a filter.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<&'static str>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            self.0.lock().unwrap().push(attributes.metadata().name());
        }

        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().target());
        }
    }

    /// lapin's loop is in a span of its own, for as long as the connection lives.
    #[test]
    fn a_clients_connection_is_no_span() {
        let seen = Seen::default();
        let subscriber = tracing_subscriber::registry().with(seen.clone().with_filter(without_connections()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!(target: "lapin::io_loop", "io_loop").in_scope(|| {
                tracing::error!(target: "lapin::channels", "connection lost");
                tracing::info_span!(target: "lapinette", "checkout").in_scope(|| ());
            });
        });
        assert_eq!(*seen.0.lock().unwrap(), ["lapin::channels", "checkout"]);
    }
}
