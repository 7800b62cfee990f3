use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{SdkTracerProvider, ShouldSample, SpanLimits},
};

use super::{
    metric_store::MetricStore,
    metrics::CapturedMetric,
    store::{Recorder, Store},
};

/// The providers of one service. They know the store, never the capture: a cycle would keep both
/// for ever.
#[derive(Clone)]
pub(super) struct Service {
    name: Arc<str>,
    tracer_provider: SdkTracerProvider,
    metrics: MetricStore,
    meter_provider: OnceLock<SdkMeterProvider>,
}

impl Service {
    pub(super) fn new(name: Arc<str>, store: &Arc<Store>, sampler: Box<dyn ShouldSample>) -> Self {
        // Sampler, limits and resource are set, because the SDK's defaults read the environment.
        let tracer_provider = SdkTracerProvider::builder()
            .with_span_processor(Recorder::new(Arc::clone(&name), Arc::clone(store)))
            .with_sampler(sampler)
            .with_span_limits(SpanLimits::default())
            .with_resource(resource(&name))
            .build();
        Self { metrics: MetricStore::new(Arc::clone(&name)), name, tracer_provider, meter_provider: OnceLock::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.tracer_provider
    }

    // Made when asked for: its reader is a thread.
    pub(super) fn meter_provider(&self) -> &SdkMeterProvider {
        self.meter_provider.get_or_init(|| {
            // Collected by hand; a day is longer than any test.
            let reader =
                PeriodicReader::builder(self.metrics.clone()).with_interval(Duration::from_secs(86_400)).build();
            SdkMeterProvider::builder().with_reader(reader).with_resource(resource(&self.name)).build()
        })
    }

    pub(super) fn metrics(&self) -> Vec<CapturedMetric> {
        self.collect();
        self.metrics.series()
    }

    pub(super) fn clear_metrics(&self) {
        self.collect();
        self.metrics.clear();
    }

    fn collect(&self) {
        if let Some(provider) = self.meter_provider.get() {
            // Fails only after the test has shut its provider down, which collected for the last
            // time.
            let _ = provider.force_flush();
        }
    }
}

fn resource(service: &str) -> Resource {
    Resource::builder_empty().with_service_name(service.to_owned()).build()
}
