//! Settings (a stand-in, until the engine lands).
use std::sync::Arc;
use opentelemetry::{global::ObjectSafeTracerProvider, metrics::MeterProvider, propagation::TextMapPropagator, trace::{Span, Tracer, TracerProvider}};

/// Settings.
#[derive(Clone, Default)]
pub struct Settings {
    tracer_provider: Option<Arc<dyn ObjectSafeTracerProvider + Send + Sync>>,
    meter_provider: Option<Arc<dyn MeterProvider + Send + Sync>>,
    propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.debug_struct("Settings").finish_non_exhaustive() }
}

impl Settings {
    /// Sets the tracer provider.
    #[must_use]
    pub fn tracer_provider<P, T, S>(mut self, provider: P) -> Self
    where S: Span + Send + Sync + 'static, T: Tracer<Span = S> + Send + Sync + 'static, P: TracerProvider<Tracer = T> + Send + Sync + 'static {
        self.tracer_provider = Some(Arc::new(provider)); self
    }
    /// Sets the meter provider.
    #[must_use]
    pub fn meter_provider(mut self, provider: impl MeterProvider + Send + Sync + 'static) -> Self { self.meter_provider = Some(Arc::new(provider)); self }
    /// Sets the propagator.
    #[must_use]
    pub fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self { self.propagator = Some(Arc::new(propagator)); self }
}
