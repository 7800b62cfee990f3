use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{
    metrics::SdkMeterProvider,
    trace::{SdkTracer, SdkTracerProvider, SpanProcessor},
};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::{capture::Capture, store::Recorder};
use crate::propagation::W3cPropagator;
use crate::{SemConv, Settings};

/// What a service under test is given, so that its spans and metrics are captured.
impl Capture {
    /// Settings for an adapter's producer or consumer in `service`: its providers are this
    /// capture's.
    ///
    /// ```
    /// use traced_envelope::testing::Capture;
    ///
    /// let capture = Capture::new();
    /// let settings = capture.settings("shop");
    /// // TracedProducer::with_settings(channel, &settings)
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn settings(&self, service: &str) -> Settings {
        Settings::default()
            .semconv(SemConv::V1_44)
            .tracer_provider(self.tracer_provider(service))
            .meter_provider(self.meter_provider(service))
            .propagator(W3cPropagator::new())
    }

    /// A tracer for a handler's own spans in `service`. Its scope is named after the service.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("warehouse").in_span("reserve stock", |_| ());
    /// assert_eq!(capture.span("reserve stock").scope().name(), "warehouse");
    /// ```
    #[must_use]
    pub fn tracer(&self, service: &str) -> SdkTracer {
        self.tracer_provider(service).tracer(service.to_owned())
    }

    /// The tracer provider of `service`: one for each name, whose resource has it as
    /// `service.name`.
    ///
    /// ```
    /// use opentelemetry::trace::{Tracer, TracerProvider};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// let provider = capture.tracer_provider("shop"); // for code that wants a provider
    /// provider.tracer("payments").in_span("pay", |_| ());
    /// assert_eq!(capture.span("pay").service(), "shop");
    /// ```
    #[must_use]
    pub fn tracer_provider(&self, service: &str) -> SdkTracerProvider {
        self.service(service, |service| service.tracer_provider().clone())
    }

    /// A processor that captures the spans of a tracer provider that you build yourself, as those of `service`: beside one that
    /// exports them, say.
    ///
    /// ```
    /// use opentelemetry::trace::{Tracer, TracerProvider};
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    /// use traced_envelope::testing::Capture;
    ///
    /// let capture = Capture::new();
    /// let provider = SdkTracerProvider::builder().with_span_processor(capture.span_processor("shop")).build();
    /// provider.tracer("shop").in_span("checkout", |_| ());
    /// assert_eq!(capture.span("checkout").service(), "shop");
    /// ```
    #[must_use]
    pub fn span_processor(&self, service: &str) -> impl SpanProcessor + use<> {
        Recorder::new(service.into(), Arc::clone(&self.inner.store))
    }

    /// The meter provider of `service`. Read what it measured with [`metrics`](Self::metrics).
    ///
    /// ```
    /// use opentelemetry::metrics::MeterProvider;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// let orders = capture.meter_provider("shop").meter("checkout").u64_counter("orders").build();
    /// orders.add(3, &[]);
    /// assert_eq!(capture.metric("orders").value(), 3.0);
    /// ```
    #[must_use]
    pub fn meter_provider(&self, service: &str) -> SdkMeterProvider {
        self.service(service, |service| service.meter_provider().clone())
    }

    /// A layer that makes the spans of `tracing` spans of `service`.
    ///
    /// ```
    /// use traced_envelope::testing::Capture;
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// let capture = Capture::new();
    /// let subscriber = tracing_subscriber::registry().with(capture.layer("warehouse"));
    /// tracing::subscriber::with_default(subscriber, || tracing::info_span!("reserve stock").in_scope(|| ()));
    ///
    /// assert_eq!(capture.span("reserve stock").service(), "warehouse");
    /// ```
    #[must_use]
    pub fn layer<S>(&self, service: &str) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.tracer(service))
    }
}
