use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Temporality,
        data::{AggregatedMetrics, HistogramDataPoint, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
};

use super::metrics::CapturedMetric;

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
