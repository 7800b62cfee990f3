//! Spans and metrics for people to read: one line each, on standard output.

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Console;

impl SpanExporter for Console {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut lines = String::new();
        for span in &batch {
            lines.push_str(&span_line(span));
        }
        print(&lines)
    }
}

impl PushMetricExporter for Console {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut lines = String::new();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            metric_lines(&mut lines, metric);
        }
        print(&lines)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// Never a panic, unlike `println!`: whoever reads may have gone.
fn print(lines: &str) -> OTelSdkResult {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(lines.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| OTelSdkError::InternalFailure(format!("standard output: {error}")))
}

fn span_line(span: &SpanData) -> String {
    let context = &span.span_context;
    let duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
    let kind = format!("{:?}", span.span_kind).to_uppercase();
    let mut line = format!(
        "span  {}  {kind}  {duration:.1?}  trace={}  span={}",
        span.name,
        context.trace_id(),
        context.span_id()
    );
    if span.parent_span_id != SpanId::INVALID {
        add(&mut line, "parent", &span.parent_span_id);
    }
    for link in span.links.iter() {
        add(&mut line, "link", &link.span_context.span_id());
    }
    match &span.status {
        Status::Error { description } => add(&mut line, "error", &format!("{description:?}")),
        Status::Ok => line.push_str("  ok"),
        Status::Unset => {}
    }
    let _ = writeln!(line, "{}", Attributes(&span.attributes));
    line
}

fn add(line: &mut String, key: &str, value: &dyn Display) {
    // Writing into a string does not fail.
    let _ = write!(line, "  {key}={value}");
}

/// In braces, quoted where a line would be hard to read otherwise.
struct Attributes<'a>(&'a [KeyValue]);

impl Display for Attributes<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, attribute) in self.0.iter().enumerate() {
            formatter.write_str(if index == 0 { "  {" } else { ", " })?;
            let value = attribute.value.as_str();
            let plain = !value.is_empty()
                && !value
                    .contains(|letter: char| letter.is_whitespace() || letter.is_control() || ",{}\"".contains(letter));
            match plain {
                true => write!(formatter, "{}={value}", attribute.key)?,
                false => write!(formatter, "{}={value:?}", attribute.key)?,
            }
        }
        if self.0.is_empty() { Ok(()) } else { formatter.write_str("}") }
    }
}

fn metric_lines(lines: &mut String, metric: &Metric) {
    match metric.data() {
        AggregatedMetrics::F64(data) => points(lines, metric, data),
        AggregatedMetrics::U64(data) => points(lines, metric, data),
        AggregatedMetrics::I64(data) => points(lines, metric, data),
    }
}

fn points<T: Copy + Display>(lines: &mut String, metric: &Metric, data: &MetricData<T>) {
    let mut point = |value: String, attributes: Vec<KeyValue>| {
        let _ = writeln!(lines, "metric  {}  {value} {}{}", metric.name(), metric.unit(), Attributes(&attributes));
    };
    match data {
        MetricData::Gauge(gauge) => {
            gauge.data_points().for_each(|one| point(one.value().to_string(), one.attributes().cloned().collect()));
        }
        MetricData::Sum(sum) => {
            sum.data_points().for_each(|one| point(one.value().to_string(), one.attributes().cloned().collect()));
        }
        MetricData::Histogram(histogram) => histogram.data_points().for_each(|one| {
            point(format!("count={} sum={}", one.count(), one.sum()), one.attributes().cloned().collect());
        }),
        MetricData::ExponentialHistogram(histogram) => histogram.data_points().for_each(|one| {
            point(format!("count={} sum={}", one.count(), one.sum()), one.attributes().cloned().collect());
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_break_the_line_are_quoted() {
        let attributes = [KeyValue::new("a", "plain"), KeyValue::new("b", "two\nlines"), KeyValue::new("c", 3)];
        assert_eq!(Attributes(&attributes).to_string(), r#"  {a=plain, b="two\nlines", c=3}"#);
        assert_eq!(Attributes(&[]).to_string(), "");
    }
}
