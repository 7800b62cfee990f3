//! Metrics on their way out: each export is counted, as a whole.

use crate::counts::Counts;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, Temporality};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn reader<E: PushMetricExporter>(
    exporter: E,
    interval: Duration,
    counts: &Arc<Counts>,
) -> PeriodicReader<Counted<E>> {
    PeriodicReader::builder(Counted { exporter, counts: Arc::clone(counts) }).with_interval(interval).build()
}

#[derive(Debug)]
pub(crate) struct Counted<E> {
    exporter: E,
    counts: Arc<Counts>,
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.counts.create();
        let result = self.exporter.export(metrics).await;
        self.counts.sent(1, &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
