//! Spans on their way out: counted where they begin, where they are queued, and where they are sent.

use crate::batches::Batches;
use crate::counts::Counts;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use std::sync::Arc;
use std::time::Duration;

/// The SDK's batch processor, with numbers; without an exporter, the numbers alone.
#[derive(Debug)]
pub(crate) struct CountedSpans {
    counts: Arc<Counts>,
    queue: Option<(BatchSpanProcessor, usize)>,
}

impl CountedSpans {
    pub(crate) const fn without_exporter(counts: Arc<Counts>) -> Self {
        Self { counts, queue: None }
    }

    pub(crate) fn batched(exporter: impl SpanExporter + 'static, batches: Batches, counts: &Arc<Counts>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(batches.queue)
            .with_max_export_batch_size(batches.batch)
            .with_scheduled_delay(batches.delay)
            .build();
        let exporter = Counted { exporter, counts: Arc::clone(counts) };
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        Self { counts: Arc::clone(counts), queue: Some((processor, batches.queue)) }
    }
}

impl SpanProcessor for CountedSpans {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.counts.create();
        if let Some((processor, _)) = &self.queue {
            processor.on_start(span, cx);
        }
    }

    fn on_end(&self, span: SpanData) {
        if let Some((processor, most)) = &self.queue
            && span.span_context.is_sampled()
            && self.counts.admit(*most)
        {
            processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.as_ref().map_or(Ok(()), |(processor, _)| processor.force_flush())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.counts.close();
        self.queue.as_ref().map_or(Ok(()), |(processor, _)| processor.shutdown_with_timeout(timeout))
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some((processor, _)) = &mut self.queue {
            processor.set_resource(resource);
        }
    }
}

#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    counts: Arc<Counts>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let number = batch.len();
        self.counts.leave(number);
        let result = self.exporter.export(batch).await;
        self.counts.sent(number, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
