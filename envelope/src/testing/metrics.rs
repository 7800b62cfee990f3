use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Temporality,
        data::{AggregatedMetrics, HistogramDataPoint, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
};

use super::{capture::Capture, service::Service};

/// Reading what was measured.
impl Capture {
    /// Everything measured so far, one entry for each instrument, service and set of attributes.
    #[must_use]
    pub fn metrics(&self) -> Vec<CapturedMetric> {
        self.services().iter().flat_map(Service::metrics).collect()
    }

    /// The one time series of the instrument with this name.
    ///
    /// # Panics
    ///
    /// When there is none, or more than one; the message lists what there is.
    #[must_use]
    #[track_caller]
    pub fn metric(&self, name: &str) -> CapturedMetric {
        let metrics = self.metrics();
        let mut named = metrics.iter().filter(|metric| metric.name() == name);
        match (named.next(), named.next()) {
            (Some(metric), None) => metric.clone(),
            _ => panic!(
                "expected one time series of {name:?}, measured were:\n{}",
                metrics.iter().map(CapturedMetric::line).collect::<Vec<_>>().join("\n")
            ),
        }
    }
}

/// One time series: an instrument with one set of attributes, and what was measured since the last
/// [`Capture::clear`](super::Capture::clear).
///
/// ```
/// use opentelemetry::{KeyValue, metrics::MeterProvider};
/// use traced_envelope::testing::Capture;
///
/// let capture = Capture::new();
/// let meter = capture.meter_provider("shop").meter("example");
/// let sent = meter.u64_counter("messaging.client.sent.messages").with_unit("{message}").build();
/// sent.add(2, &[KeyValue::new("messaging.system", "kafka")]);
///
/// let sent = capture.metric("messaging.client.sent.messages");
/// assert_eq!((sent.value(), sent.unit(), sent.service()), (2.0, "{message}", "shop"));
/// assert_eq!(sent.attribute("messaging.system"), Some(&"kafka".into()));
/// ```
#[derive(Clone, Debug)]
pub struct CapturedMetric {
    service: Arc<str>,
    scope: InstrumentationScope,
    name: String,
    unit: String,
    attributes: Vec<KeyValue>,
    value: f64,
    count: Option<u64>,
    bounds: Vec<f64>,
}

impl CapturedMetric {
    /// The service whose meter provider it came from.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The scope of the meter.
    pub fn scope(&self) -> &InstrumentationScope {
        &self.scope
    }

    /// The instrument's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instrument's unit.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The attributes, sorted by key.
    pub fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    /// The value of one attribute.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
    }

    /// The sum of a counter or histogram, or what a gauge showed last.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// How many values a histogram was given; `None` for other instruments.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// The upper bounds of a histogram's buckets; empty for other instruments.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    fn is_same_series(&self, other: &Self) -> bool {
        (&self.name, &self.unit, &self.service) == (&other.name, &other.unit, &other.service)
            && self.attributes == other.attributes
            && self.scope == other.scope
    }

    pub(super) fn line(&self) -> String {
        let attributes: Vec<_> = self.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
        let count = self.count.map(|count| format!(" in {count} values")).unwrap_or_default();
        format!("  {}  {}  {{{}}}  {}{count} {}", self.name, self.service, attributes.join(", "), self.value, self.unit)
    }
}

/// Adds up what each collection brings: differences, so that clearing is possible at all.
#[derive(Clone, Debug)]
pub(super) struct MetricStore {
    service: Arc<str>,
    series: Arc<Mutex<Vec<CapturedMetric>>>,
}

impl MetricStore {
    pub(super) fn new(service: Arc<str>) -> Self {
        Self { service, series: Arc::default() }
    }

    pub(super) fn series(&self) -> Vec<CapturedMetric> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn clear(&self) {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn record(&self, metric: CapturedMetric, adds_up: bool) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        match series.iter_mut().find(|known| known.is_same_series(&metric)) {
            Some(known) if adds_up => {
                known.value += metric.value;
                known.count = known.count.map(|count| count + metric.count.unwrap_or_default());
            }
            Some(known) => *known = metric,
            None => series.push(metric),
        }
    }

    fn record_all<T: Copy>(&self, blank: &CapturedMetric, data: &MetricData<T>, to_f64: impl Fn(T) -> f64) {
        let series = |attributes: Vec<KeyValue>, value: T| {
            let mut series = CapturedMetric { attributes, value: to_f64(value), ..blank.clone() };
            series.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            series
        };
        match data {
            MetricData::Gauge(gauge) => {
                for point in gauge.data_points() {
                    self.record(series(point.attributes().cloned().collect(), point.value()), false);
                }
            }
            MetricData::Sum(sum) => {
                for point in sum.data_points() {
                    let adds_up = sum.temporality() == Temporality::Delta;
                    self.record(series(point.attributes().cloned().collect(), point.value()), adds_up);
                }
            }
            MetricData::Histogram(histogram) => {
                for point in histogram.data_points() {
                    let mut series = series(point.attributes().cloned().collect(), point.sum());
                    series.count = Some(point.count());
                    series.bounds = HistogramDataPoint::bounds(point).collect();
                    self.record(series, histogram.temporality() == Temporality::Delta);
                }
            }
            // Only views make these, and a capture sets none.
            MetricData::ExponentialHistogram(_) => {}
        }
    }
}

impl PushMetricExporter for MetricStore {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        for scope in metrics.scope_metrics() {
            for metric in scope.metrics() {
                let blank = CapturedMetric {
                    service: Arc::clone(&self.service),
                    scope: scope.scope().clone(),
                    name: metric.name().to_owned(),
                    unit: metric.unit().to_owned(),
                    attributes: Vec::new(),
                    value: 0.0,
                    count: None,
                    bounds: Vec::new(),
                };
                match metric.data() {
                    AggregatedMetrics::F64(data) => self.record_all(&blank, data, |value| value),
                    // Exact up to 2^53, which no test counts to.
                    AggregatedMetrics::U64(data) => self.record_all(&blank, data, |value| value as f64),
                    AggregatedMetrics::I64(data) => self.record_all(&blank, data, |value| value as f64),
                }
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}
