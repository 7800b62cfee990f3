//! What an application can choose, with its defaults.

mod contexts;
mod hooks;
mod names;
mod providers;
mod switches;

use crate::header_capture::HeaderCapture;
use crate::metrics::AnyMeterProvider;
use crate::outcome::ErrorKind;
use crate::pattern::Pattern;
use crate::tracer::AnyTracerProvider;
use crate::{BaggagePolicy, ExistingContext, Message, Propagation, Relation, SemConv, Trust};
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type AttributeHook = dyn Fn(&Message<'_>, &mut Vec<KeyValue>) + Send + Sync;
pub(crate) type MessageFilter = dyn Fn(&Message<'_>) -> bool + Send + Sync;
pub(crate) type RelationHook = dyn Fn(&Message<'_>) -> Relation + Send + Sync;

/// What an application can choose; each setter names its default.
///
/// Settings are given to a producer or consumer where it is made. Two with different settings live side by side in a process.
/// `Settings::default()` uses the process-wide providers and propagator, also when they are installed later.
///
/// ```
/// use opentelemetry::KeyValue;
/// use traced_envelope::{BaggagePolicy, Destination, Relation, SemConv, Settings, Telemetry};
///
/// let settings = Settings::default()
///     .relation(Relation::Link)
///     .relation_for("emails.*", Relation::New)
///     .baggage(BaggagePolicy::only(["tenant.id"]))
///     .destination_template("orders:order.*", "orders:order.{id}")
///     .server("mq.internal", 5672)
///     .capture_headers(["x-tenant", "x-death*"])
///     .on_process(|message, attributes| attributes.push(KeyValue::new("replayed", message.is_old())))
///     .semconv(SemConv::Both);
/// let order = Telemetry::new("rabbitmq", &settings).prepare("publish", Destination::new("orders:order.42"));
/// assert_eq!(order.span_name(), "publish orders:order.{id}");
/// ```
#[derive(Clone)]
pub struct Settings {
    pub(crate) enabled: bool,
    pub(crate) tracer_provider: Option<Arc<AnyTracerProvider>>,
    pub(crate) meter_provider: Option<Arc<AnyMeterProvider>>,
    #[cfg(feature = "logs")]
    pub(crate) logger: Option<crate::exception_log::LoggerSource>,
    pub(crate) propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
    pub(crate) propagation: Propagation,
    pub(crate) existing_context: ExistingContext,
    pub(crate) trust: Trust,
    pub(crate) baggage: BaggagePolicy,
    pub(crate) foreign_traceparents: Vec<String>,
    pub(crate) relation: Relation,
    pub(crate) relations: Vec<(Pattern, Relation)>,
    pub(crate) relation_hook: Option<Arc<RelationHook>>,
    pub(crate) filter: Option<Arc<MessageFilter>>,
    pub(crate) on_send: Option<Arc<AttributeHook>>,
    pub(crate) on_process: Option<Arc<AttributeHook>>,
    pub(crate) on_error: Option<Arc<ErrorKind>>,
    pub(crate) headers: HeaderCapture,
    pub(crate) templates: Vec<(Pattern, String)>,
    pub(crate) server: Option<(String, u16)>,
    pub(crate) consumer_group: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) semconv: SemConv,
    pub(crate) metrics: bool,
    pub(crate) message_sizes: bool,
    pub(crate) message_keys: bool,
    pub(crate) create_spans: bool,
    pub(crate) receive_spans: bool,
    pub(crate) settle_spans: bool,
    pub(crate) old_after: Duration,
    pub(crate) open_span_limit: usize,
    pub(crate) open_span_time_limit: Duration,
    #[cfg(feature = "payload-envelope")]
    pub(crate) accepted_forms: crate::AcceptedForms,
    #[cfg(feature = "tracing")]
    pub(crate) tracing_spans: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            tracer_provider: None,
            meter_provider: None,
            #[cfg(feature = "logs")]
            logger: None,
            propagator: None,
            propagation: Propagation::default(),
            existing_context: ExistingContext::default(),
            trust: Trust::default(),
            baggage: BaggagePolicy::default(),
            foreign_traceparents: Vec::new(),
            relation: Relation::default(),
            relations: Vec::new(),
            relation_hook: None,
            filter: None,
            on_send: None,
            on_process: None,
            on_error: None,
            headers: HeaderCapture::default(),
            templates: Vec::new(),
            server: None,
            consumer_group: None,
            client_id: None,
            semconv: SemConv::from_env(),
            metrics: true,
            message_sizes: false,
            message_keys: false,
            create_spans: true,
            receive_spans: false,
            settle_spans: false,
            old_after: Duration::from_secs(60),
            open_span_limit: 10_000,
            open_span_time_limit: Duration::from_secs(30 * 60),
            #[cfg(feature = "payload-envelope")]
            accepted_forms: crate::AcceptedForms::default(),
            #[cfg(feature = "tracing")]
            tracing_spans: true,
        }
    }
}

impl fmt::Debug for Settings {
    /// Providers and closures have nothing to show: they are left out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("enabled", &self.enabled)
            .field("propagation", &self.propagation)
            .field("existing_context", &self.existing_context)
            .field("trust", &self.trust)
            .field("baggage", &self.baggage)
            .field("relation", &self.relation)
            .field("semconv", &self.semconv)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}
