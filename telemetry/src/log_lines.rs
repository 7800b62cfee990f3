//! The program's own log lines, as text or as JSON, with the ids of the current span.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use serde_json::{Map, Value};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{DefaultFields, Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

/// How log lines look.
///
/// They go to standard output, whichever exporter takes logs besides.
///
/// ```
/// use traced_telemetry::{LogLines, Setup};
///
/// let _telemetry = Setup::new("order-service").log_lines(LogLines::Json).init()?;
/// tracing::info!(order = 42, "reserved"); // {"fields":{"order":42},"level":"INFO","message":"reserved",..}
/// assert_eq!(LogLines::default(), LogLines::Auto); // what it is without `log_lines`
/// # Ok::<_, traced_telemetry::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum LogLines {
    /// As text on a terminal, as JSON elsewhere; `TRACED_LOG_LINES` may say otherwise. The default.
    #[default]
    Auto,
    /// One line of text: time, level, spans, message, fields, and the ids of the current span at its end.
    Text,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, `fields`, `span`, and inside a span `trace_id`, `span_id` and
    /// `trace_flags`, the names of OpenTelemetry's *Trace Context in non-OTLP Log Formats*.
    Json,
    /// None.
    Off,
}

/// The one that is current: where a `tracing` span is entered, its layer makes it OpenTelemetry's current one too.
fn current() -> Option<SpanContext> {
    Context::map_current(|cx| Some(cx.span().span_context().clone()).filter(SpanContext::is_valid))
}

pub(crate) struct Text {
    pub(crate) ansi: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, DefaultFields> for Text {
    fn format_event(
        &self,
        cx: &FmtContext<'_, S, DefaultFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        Format::default().with_ansi(self.ansi).format_event(cx, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match current() {
            Some(span) => writeln!(writer, "{line} trace_id={} span_id={}", span.trace_id(), span.span_id()),
            None => writeln!(writer, "{line}"),
        }
    }
}

pub(crate) struct Json;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, DefaultFields> for Json {
    fn format_event(
        &self,
        cx: &FmtContext<'_, S, DefaultFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);

        let mut line = Map::new();
        let mut add = |key: &str, value: Value| line.insert(key.to_owned(), value);
        add("timestamp", time.into());
        add("level", metadata.level().as_str().into());
        add("target", metadata.target().into());
        add("message", fields.message.into());
        if !fields.others.is_empty() {
            add("fields", fields.others.into());
        }
        if let Some(span) = cx.lookup_current() {
            add("span", span.name().into());
        }
        if let Some(span) = current() {
            add("trace_id", span.trace_id().to_string().into());
            add("span_id", span.span_id().to_string().into());
            add("trace_flags", format!("{:02x}", span.trace_flags()).into());
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            ("message", other) => self.message = other.to_string(),
            (name, value) => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    /// JSON has no infinity: `null`, as JavaScript writes it.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, value.to_string().into());
    }
}
