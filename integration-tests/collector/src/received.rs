use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    logs::v1::{LogRecord, ResourceLogs},
    metrics::v1::{Metric, ResourceMetrics},
    resource::v1::Resource,
};
use traced_envelope::testing::{CapturedSpan, Forest};

use crate::span;

/// What a [`Collector`](crate::Collector) got, in the order of its arrival.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub(crate) requests: usize,
    pub(crate) headers: Vec<String>,
    pub(crate) spans: Vec<CapturedSpan>,
    pub(crate) metrics: Vec<ResourceMetrics>,
    pub(crate) logs: Vec<ResourceLogs>,
    pub(crate) resources: Vec<Resource>,
}

impl Received {
    /// How many requests came in whole, refused ones included.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// The header lines of all requests, in lower case: `content-type: application/json`.
    #[must_use]
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The spans; their service is the `service.name` of their resource.
    #[must_use]
    pub fn spans(&self) -> &[CapturedSpan] {
        &self.spans
    }

    /// The trees of all spans.
    #[must_use]
    pub fn forest(&self) -> Forest {
        Forest::new(self.spans.iter().cloned())
    }

    /// The metrics, a new value with each export.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics)
    }

    /// The metrics with their resources.
    #[must_use]
    pub fn resource_metrics(&self) -> &[ResourceMetrics] {
        &self.metrics
    }

    /// The log records.
    pub fn logs(&self) -> impl Iterator<Item = &LogRecord> {
        self.logs.iter().flat_map(|resource| &resource.scope_logs).flat_map(|scope| &scope.log_records)
    }

    /// The log records with their resources.
    #[must_use]
    pub fn resource_logs(&self) -> &[ResourceLogs] {
        &self.logs
    }

    /// The resources of all signals, once for each export.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    pub(crate) fn add_traces(&mut self, request: ExportTraceServiceRequest) {
        for resource in request.resource_spans {
            self.spans.extend(span::captured(&resource));
            self.resources.extend(resource.resource);
        }
    }

    pub(crate) fn add_metrics(&mut self, request: ExportMetricsServiceRequest) {
        self.resources.extend(request.resource_metrics.iter().filter_map(|metrics| metrics.resource.clone()));
        self.metrics.extend(request.resource_metrics);
    }

    pub(crate) fn add_logs(&mut self, request: ExportLogsServiceRequest) {
        self.resources.extend(request.resource_logs.iter().filter_map(|logs| logs.resource.clone()));
        self.logs.extend(request.resource_logs);
    }
}
