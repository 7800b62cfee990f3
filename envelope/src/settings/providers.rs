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
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let settings = Settings::default().tracer_provider(capture.tracer_provider("shop")); // an SdkTracerProvider
    /// drop(Telemetry::new("nats", &settings).send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish orders").service(), "shop");
    /// ```
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
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let settings = Settings::default().meter_provider(capture.meter_provider("shop")); // an SdkMeterProvider
    /// drop(Telemetry::new("nats", &settings).send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.metric("messaging.client.sent.messages").service(), "shop");
    /// ```
    #[must_use]
    pub fn meter_provider(mut self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        self.meter_provider = Some(Arc::new(provider));
        self
    }

    /// Where failures are logged as the events `messaging.process.exception` and so on. Default: nowhere, since the OpenTelemetry
    /// API has no process-wide logger provider.
    ///
    /// ```
    /// use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let exporter = InMemoryLogExporter::default();
    /// let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    /// let telemetry = Telemetry::new("nats", &Capture::new().settings("warehouse").logger_provider(provider));
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// span.end(Outcome::error("out_of_stock", "no item 42 left"));
    /// let logs = exporter.get_emitted_logs().unwrap();
    /// assert_eq!(logs[0].record.event_name(), Some("messaging.process.exception"));
    /// ```
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
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use opentelemetry_propagator_b3::Propagator;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").propagator(Propagator::new()));
    /// let mut headers = MessageHeaders::new();
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut headers));
    /// assert!(headers.get("x-b3-traceid").is_some() && headers.get("traceparent").is_none());
    /// ```
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
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// # let capture = Capture::new();
    /// let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(capture.layer("shop")));
    /// for (queue, on) in [("orders", true), ("invoices", false)] {
    ///     let telemetry = Telemetry::new("nats", &capture.settings("shop").tracing_spans(on));
    ///     let span = telemetry.process(Operation::new("process", queue), &MessageHeaders::new());
    ///     span.in_scope(|| Ok::<_, std::fmt::Error>(tracing::info!("reserved")))?;
    /// }
    /// assert_eq!(capture.span("process orders").events().len(), 1);
    /// assert_eq!(capture.span("process invoices").events().len(), 0);
    /// # Ok::<_, std::fmt::Error>(())
    /// ```
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing_spans(mut self, on: bool) -> Self {
        self.tracing_spans = on;
        self
    }
}
