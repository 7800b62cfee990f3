//! Log records on their way out, counted like spans.

use crate::batches::Batches;
use crate::counts::Counts;
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder, BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord,
};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct CountedLogs {
    counts: Arc<Counts>,
    processor: BatchLogProcessor,
    most: usize,
}

impl CountedLogs {
    pub(crate) fn batched(exporter: impl LogExporter + 'static, batches: Batches, counts: &Arc<Counts>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(batches.queue)
            .with_max_export_batch_size(batches.batch)
            .with_scheduled_delay(batches.delay)
            .build();
        let exporter = Counted { exporter, counts: Arc::clone(counts) };
        let processor = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
        Self { counts: Arc::clone(counts), processor, most: batches.queue }
    }
}

impl LogProcessor for CountedLogs {
    fn emit(&self, data: &mut SdkLogRecord, instrumentation: &InstrumentationScope) {
        self.counts.create();
        if self.counts.admit(self.most) {
            self.processor.emit(data, instrumentation);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.counts.close();
        self.processor.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.processor.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    counts: Arc<Counts>,
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let number = batch.iter().count();
        self.counts.leave(number);
        let result = self.exporter.export(batch).await;
        self.counts.sent(number, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.exporter.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
