//! Whose spans, instruments and propagator are used.

use super::Settings;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use std::sync::Arc;

impl Settings {
    /// Whose spans are made. Default: those of `opentelemetry::global::tracer_provider()`, looked at again for each message until
    /// there is an SDK behind it.
    ///
    /// With the feature `tracing`, process spans are made by the subscriber's OpenTelemetry layer where there is one, and so by its
    /// tracer; give `tracing_spans(false)` besides to have them from this provider.
    #[must_use]
    pub fn tracer_provider<P, T, S>(mut self, provider: P) -> Self
    where
        P: TracerProvider<Tracer = T> + Send + Sync + 'static,
        T: Tracer<Span = S> + Send + Sync + 'static,
        S: Span + Send + Sync + 'static,
    {
        self.tracer_provider = Some(Arc::new(provider));
        self
    }

    /// Whose instruments count. Default: those of `opentelemetry::global::meter_provider()`; they are made anew when the process
    /// installs another one.
    #[must_use]
    pub fn meter_provider(mut self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        self.meter_provider = Some(Arc::new(provider));
        self
    }

    /// Where failures are logged as the events `messaging.process.exception` and so on. Default: nowhere, since the OpenTelemetry
    /// API has no process-wide logger provider.
    #[cfg(feature = "logs")]
    #[must_use]
    pub fn logger_provider<P>(mut self, provider: P) -> Self
    where
        P: opentelemetry::logs::LoggerProvider + Send + Sync + 'static,
        P::Logger: Send + Sync + 'static,
    {
        self.logger = Some(crate::exception_log::LoggerSource::new(provider));
        self
    }

    /// How contexts are written and read. Default: the process-wide propagator once one is installed, else our
    /// [`W3cPropagator`](crate::propagation::W3cPropagator), so that forgetting to install one breaks no trace.
    #[must_use]
    pub fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    /// Whether process spans are opened as `tracing` spans where a subscriber with an OpenTelemetry layer is there, so that bare
    /// `tracing` events land on them. Default: yes.
    ///
    /// That layer's tracer makes them then, under its own instrumentation scope, also where
    /// [`tracer_provider`](Self::tracer_provider) names another provider. Where there is no such layer, or where it filters the span
    /// (target `traced`, level INFO), they are plain OpenTelemetry spans.
    ///
    /// That layer makes an error of every span that has started and in which an event of level ERROR is written, also where the handler
    /// recovers and returns `Ok`, and also with `with_error_events_to_status(false)` (tracing-opentelemetry 0.34); OpenTelemetry's API
    /// cannot take that back. With `tracing_spans(false)` the handler's result alone decides.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing_spans(mut self, on: bool) -> Self {
        self.tracing_spans = on;
        self
    }
}
