//! What makes a service of its own: a tracer provider with its name.

use traced_envelope::{Settings, propagation::W3cPropagator, testing::Capture};
use traced_rabbitmq::opentelemetry::trace::TracerProvider as _;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::failure::Failure;

pub(crate) struct Service {
    name: &'static str,
    provider: SdkTracerProvider,
    otlp: bool,
}

impl Service {
    /// Its spans go into the capture, and by OTLP to where the environment says.
    pub(crate) fn new(name: &'static str, capture: &Capture) -> anyhow::Result<Self> {
        let otlp = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
            .iter()
            .any(|variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty()));
        let mut provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name(name).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_span_processor(capture.span_processor(name));
        if otlp {
            provider = provider.with_batch_exporter(SpanExporter::builder().with_http().build()?);
        }
        Ok(Self { name, provider: provider.build(), otlp })
    }

    /// For producers and consumers. A program that is one service installs its provider as the global one instead, and needs no
    /// settings.
    pub(crate) fn settings(&self) -> Settings {
        Settings::default()
            .tracer_provider(self.provider.clone())
            .propagator(W3cPropagator::new())
            .on_error(|error| error.downcast_ref::<Failure>().map(Failure::kind))
    }

    /// For spans made with OpenTelemetry's own API.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer(self.name)
    }

    /// For spans made with `tracing`. A program that is one service calls `.init()` on the registry instead.
    pub(crate) fn subscriber(&self) -> Dispatch {
        let layer = tracing_opentelemetry::layer().with_tracer(self.tracer());
        Dispatch::new(tracing_subscriber::registry().with(layer))
    }

    /// Sends what is left; `shutdown` would do so too, but says nothing about a failed export. That nobody is there to take it is worth a line, and no reason to fail.
    pub(crate) fn export(&self) {
        if !self.otlp {
            return;
        }
        match self.provider.force_flush() {
            Ok(()) => println!("demo: the spans of {} were sent by OTLP", self.name),
            Err(error) => eprintln!("demo: the spans of {} could not be sent by OTLP: {error}", self.name),
        }
    }
}
