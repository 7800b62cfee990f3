//! What an application installs in its process.

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use std::time::Duration;
use traced_envelope::Settings;
use traced_envelope::propagation::W3cPropagator;

/// Whether there is an SDK, and what its sampler says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sdk {
    /// No provider is installed.
    Absent,
    /// Spans are made, and not recorded.
    Unsampled,
    /// Spans are recorded.
    Sampled,
}

impl Sdk {
    /// Makes the process such.
    pub fn install(self) {
        match self {
            Self::Absent => global::set_tracer_provider(NoopTracerProvider::new()),
            Self::Unsampled => global::set_tracer_provider(provider(Sampler::AlwaysOff)),
            Self::Sampled => global::set_tracer_provider(provider(Sampler::AlwaysOn)),
        }
        global::set_text_map_propagator(stock_propagator());
        global::set_meter_provider(SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build());
    }
}

/// The SDK's own, as everyone installs them.
pub(crate) fn stock_propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![Box::new(TraceContextPropagator::new()), Box::new(BaggagePropagator::new())])
}

/// The settings of most cases.
pub(crate) fn settings() -> Settings {
    Settings::default().metrics(false).propagator(W3cPropagator::new())
}

/// With a tracer provider of its own instead of the process-wide one, whose tracers box each span twice.
pub(crate) fn given() -> Settings {
    settings().tracer_provider(provider(Sampler::AlwaysOn))
}

/// A provider of its own, whose spans are recorded, for what does not use the process-wide one.
#[must_use]
pub fn sampled_provider() -> SdkTracerProvider {
    provider(Sampler::AlwaysOn)
}

fn provider(sampler: Sampler) -> SdkTracerProvider {
    SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(Dropping).build()
}

/// Drops each span: what an exporter costs is not the instrumentation's.
#[derive(Debug)]
struct Dropping;

impl SpanProcessor for Dropping {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, _: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
