//! What an application can choose, with its defaults.

use crate::header_capture::HeaderCapture;
use crate::metrics::AnyMeterProvider;
use crate::outcome::ErrorKind;
use crate::pattern::Pattern;
use crate::tracer::AnyTracerProvider;
use crate::{BaggagePolicy, ExistingContext, Message, Propagation, Relation, SemConv, Trust};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use std::any::Any;
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
/// use std::time::Duration;
/// use traced_envelope::{BaggagePolicy, Relation, SemConv, Settings};
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
/// # let _ = settings;
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
    pub(crate) create_spans: bool,
    pub(crate) receive_spans: bool,
    pub(crate) settle_spans: bool,
    pub(crate) old_after: Duration,
    pub(crate) open_span_limit: usize,
    pub(crate) open_span_time_limit: Duration,
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
            create_spans: true,
            receive_spans: false,
            settle_spans: false,
            old_after: Duration::from_secs(60),
            open_span_limit: 10_000,
            open_span_time_limit: Duration::from_secs(30 * 60),
            #[cfg(feature = "tracing")]
            tracing_spans: true,
        }
    }
}

impl Settings {
    /// Switches everything off, or on again: messages pass untouched, and nothing is allocated for them. Default: on.
    ///
    /// ```
    /// let quiet = traced_envelope::Settings::default().enabled(false);
    /// # let _ = quiet;
    /// ```
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Whose spans are made. Default: those of `opentelemetry::global::tracer_provider()`, looked at again for each message until
    /// there is an SDK behind it.
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

    /// Which way contexts travel. Default: both.
    #[must_use]
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        self.propagation = propagation;
        self
    }

    /// What becomes of a context that a message to be sent carries already. Default: [`ExistingContext::Replace`].
    #[must_use]
    pub fn existing_context(mut self, policy: ExistingContext) -> Self {
        self.existing_context = policy;
        self
    }

    /// Whether those who write to the queue are trusted. Default: [`Trust::Trusted`].
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Short for [`trust`](Self::trust) with [`Trust::Untrusted`].
    #[must_use]
    pub fn untrusted(self) -> Self {
        self.trust(Trust::Untrusted)
    }

    /// Which baggage crosses the queue, in both directions. Default: all of it, within the limits of the W3C.
    #[must_use]
    pub fn baggage(mut self, policy: BaggagePolicy) -> Self {
        self.baggage = policy;
        self
    }

    /// How process spans relate to the message's creation context. Default: [`Relation::Auto`].
    #[must_use]
    pub fn relation(mut self, relation: Relation) -> Self {
        self.relation = relation;
        self
    }

    /// The same for destinations whose name fits a pattern, in which `*` stands for any run of characters. The first that fits
    /// counts; it goes before [`relation`](Self::relation).
    #[must_use]
    pub fn relation_for(mut self, destination: impl Into<String>, relation: Relation) -> Self {
        self.relations.push((Pattern::new(destination), relation));
        self
    }

    /// The same, message by message. It goes before [`relation_for`](Self::relation_for); a panic in it is the application's.
    #[must_use]
    pub fn relation_with(mut self, decide: impl Fn(&Message<'_>) -> Relation + Send + Sync + 'static) -> Self {
        self.relation_hook = Some(Arc::new(decide));
        self
    }

    /// Which messages get spans and metrics; for the others the context passes through all the same. Default: all.
    ///
    /// ```
    /// let settings = traced_envelope::Settings::default().filter(|message| message.destination() != "heartbeats");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn filter(mut self, wanted: impl Fn(&Message<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// Adds attributes to create and send spans, before they start, so that samplers see them.
    #[must_use]
    pub fn on_send(mut self, add: impl Fn(&Message<'_>, &mut Vec<KeyValue>) + Send + Sync + 'static) -> Self {
        self.on_send = Some(Arc::new(add));
        self
    }

    /// Adds attributes to process spans, before they start, so that samplers see them.
    #[must_use]
    pub fn on_process(mut self, add: impl Fn(&Message<'_>, &mut Vec<KeyValue>) + Send + Sync + 'static) -> Self {
        self.on_process = Some(Arc::new(add));
        self
    }

    /// Names an error for `error.type`, which metrics carry too: use few names. Default: the error's type, or `_OTHER` for
    /// `anyhow::Error`, `Box<dyn Error>` and texts.
    ///
    /// ```
    /// # struct PaymentError;
    /// # impl PaymentError { fn kind(&self) -> &'static str { "declined" } }
    /// let settings = traced_envelope::Settings::default()
    ///     .on_error(|error| error.downcast_ref::<PaymentError>().map(PaymentError::kind));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn on_error(mut self, name: impl Fn(&dyn Any) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(name));
        self
    }

    /// Headers that become span attributes `messaging.header.<name>`: names, or patterns in which `*` stands for any run of
    /// characters, without regard to case. Default: none, since headers may hold secrets.
    #[must_use]
    pub fn capture_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.include(names);
        self
    }

    /// Headers that are not captured although [`capture_headers`](Self::capture_headers) names them.
    #[must_use]
    pub fn exclude_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.exclude(names);
        self
    }

    /// The low-cardinality form of destinations whose name fits a pattern: it stands in span names and metrics instead of the name,
    /// which stays an attribute of the span. The first that fits counts. Default: none.
    #[must_use]
    pub fn destination_template(mut self, pattern: impl Into<String>, template: impl Into<String>) -> Self {
        self.templates.push((Pattern::new(pattern), template.into()));
        self
    }

    /// The broker's address and port, for `server.address` and `server.port`. Default: left out, because most clients hide them.
    #[must_use]
    pub fn server(mut self, address: impl Into<String>, port: u16) -> Self {
        self.server = Some((address.into(), port));
        self
    }

    /// The consumer group, for `messaging.consumer.group.name`. Default: what the adapter knows, else left out.
    #[must_use]
    pub fn consumer_group(mut self, name: impl Into<String>) -> Self {
        self.consumer_group = Some(name.into());
        self
    }

    /// The client's id, for `messaging.client.id`. Default: what the adapter knows, else left out.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Which release of the conventions names the attributes. Default: as `OTEL_SEMCONV_STABILITY_OPT_IN` says, else
    /// [`SemConv::V1_44`].
    #[must_use]
    pub fn semconv(mut self, release: SemConv) -> Self {
        self.semconv = release;
        self
    }

    /// Whether instruments count and time messages. Default: yes.
    #[must_use]
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }

    /// Whether spans carry `messaging.message.body.size`, opt-in by the conventions. Default: no.
    #[must_use]
    pub fn message_sizes(mut self, on: bool) -> Self {
        self.message_sizes = on;
        self
    }

    /// Whether each message of a batch gets a create span of its own; without, all share the context of the one send span.
    /// Default: yes.
    #[must_use]
    pub fn create_spans(mut self, on: bool) -> Self {
        self.create_spans = on;
        self
    }

    /// Whether a pull that brought a message makes a receive span. Default: no.
    #[must_use]
    pub fn receive_spans(mut self, on: bool) -> Self {
        self.receive_spans = on;
        self
    }

    /// Whether acknowledgements make settle spans. Default: no.
    #[must_use]
    pub fn settle_spans(mut self, on: bool) -> Self {
        self.settle_spans = on;
        self
    }

    /// From which age on [`Message::is_old`] says so. Default: 60 seconds.
    #[must_use]
    pub fn old_after(mut self, age: Duration) -> Self {
        self.old_after = age;
        self
    }

    /// How many spans may wait for their message's acknowledgement at a time; beyond it the oldest is ended. Default: 10 000.
    #[must_use]
    pub fn open_span_limit(mut self, spans: usize) -> Self {
        self.open_span_limit = spans;
        self
    }

    /// How long a span may wait for its message's acknowledgement; it is looked at on every call, there is no timer. Default: 30
    /// minutes, after which RabbitMQ closes the channel of a consumer that does not acknowledge.
    #[must_use]
    pub fn open_span_time_limit(mut self, limit: Duration) -> Self {
        self.open_span_time_limit = limit;
        self
    }

    /// Whether process spans are opened as `tracing` spans where a subscriber with an OpenTelemetry layer is there, so that bare
    /// `tracing` events land on them. Default: yes.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing_spans(mut self, on: bool) -> Self {
        self.tracing_spans = on;
        self
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
