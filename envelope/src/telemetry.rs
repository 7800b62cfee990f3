//! The engine behind every adapter, and the way out for transports that none wraps.

use crate::destinations::{Destinations, Room};
use crate::metrics::InstrumentSource;
use crate::operation::{Operation, Where};
use crate::propagators::Propagators;
use crate::status::{SdkWatch, Status};
use crate::tracer::TracerSource;
use crate::{Destination, Existing, Message, PreparedDestination, Settings, ambient, is_anonymous};
use opentelemetry::InstrumentationScope;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::SpanContext;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Makes the spans and metrics of messaging operations and carries contexts from one side to the other.
///
/// Every adapter reads the same: on one side describe the operation, inject, run the native call; on the other extract, decide the
/// relation, run the handler. For a transport that no adapter wraps, an application does this itself:
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry};
///
/// # async fn publish(_: MessageHeaders) -> Result<(), std::fmt::Error> { Ok(()) }
/// # async fn handle() -> Result<(), std::fmt::Error> { Ok(()) }
/// # async fn example() -> Result<(), std::fmt::Error> {
/// let telemetry = Telemetry::new("nats", &Settings::default());
///
/// let mut headers = MessageHeaders::new();
/// let span = telemetry.send(Operation::new("publish", "orders"), &mut headers);
/// span.run(publish(headers)).await?;
///
/// let headers = MessageHeaders::new(); // those of a message that was received
/// telemetry.process(Operation::new("process", "orders"), &headers).run(handle()).await?;
/// # Ok(()) }
/// # assert!(futures_util::FutureExt::now_or_never(example()).unwrap().is_ok());
/// ```
///
/// It is cheap to clone; clones share what was prepared. It never fails and never panics: if telemetry fails, the message goes on.
#[derive(Clone)]
pub struct Telemetry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    system: &'static str,
    pub(crate) settings: Settings,
    pub(crate) tracer: TracerSource,
    pub(crate) instruments: InstrumentSource,
    pub(crate) propagators: Propagators,
    destinations: Destinations,
    pub(crate) watch: SdkWatch,
    /// The span that was current when this was made: the one of the loop around a consumer.
    pub(crate) made_in: SpanContext,
    pub(crate) headers_repeat: bool,
}

impl Telemetry {
    /// Telemetry of a messaging system (`messaging.system`: `nats`, `aws_sqs`, ...), under this crate's instrumentation scope.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("aws_sqs", &capture.settings("shop"));
    /// drop(telemetry.send(Operation::new("SendMessage", "orders"), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("SendMessage orders").attribute("messaging.system"), Some(&"aws_sqs".into()));
    /// ```
    #[must_use]
    pub fn new(system: &'static str, settings: &Settings) -> Self {
        Self::scoped(system, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
    }

    /// The same under the scope of an adapter, by its crate's name and version.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::scoped("nats", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), &Settings::default());
    /// assert_eq!(telemetry.system(), "nats");
    /// ```
    #[must_use]
    pub fn scoped(system: &'static str, name: &'static str, version: &'static str, settings: &Settings) -> Self {
        let scope = InstrumentationScope::builder(name)
            .with_version(version)
            .with_schema_url(settings.semconv.schema_url())
            .build();
        let settings = settings.clone();
        Self {
            inner: Arc::new(Inner {
                system,
                tracer: TracerSource::new(settings.tracer_provider.clone(), scope.clone()),
                instruments: InstrumentSource::new(settings.meter_provider.clone(), scope),
                propagators: Propagators::new(settings.propagator.clone()),
                destinations: Destinations::default(),
                watch: SdkWatch::default(),
                made_in: ambient::span_context_of_any(),
                headers_repeat: false,
                settings,
            }),
        }
    }

    /// For transports whose messages can hold a header name more than once: then all values of `traceparent` are compared, and two
    /// different valid ones are no context.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("warehouse")).headers_may_repeat();
    /// let mut headers = MessageHeaders::new();
    /// headers.append("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    /// headers.append("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    /// drop(telemetry.process(Operation::new("process", "orders"), &headers));
    /// assert_eq!(capture.span("process orders").parent_id(), None); // whoever was right
    /// ```
    #[must_use]
    pub fn headers_may_repeat(mut self) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.headers_repeat = true;
        }
        self
    }

    /// The messaging system.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// assert_eq!(telemetry.system(), "nats");
    /// ```
    #[must_use]
    pub fn system(&self) -> &'static str {
        self.inner.system
    }

    /// The settings.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default().open_span_limit(1));
    /// let open = OpenSpans::new(telemetry.settings()); // an adapter need not keep them itself
    /// for number in 1..=2 {
    ///     open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// }
    /// assert_eq!(open.len(), 1);
    /// ```
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Whether anything is done at all: where [`Settings::enabled`] says no, an adapter need not even look at a message.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// assert!(!Telemetry::new("nats", &Settings::default().enabled(false)).is_enabled());
    /// ```
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.inner.settings.enabled
    }

    /// Whether spans are made, or no SDK was seen so far: the first thing to look at when no span appears. An SDK that was seen counts
    /// as [`Status::Active`] also after it was shut down.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Status, Telemetry, testing::Capture};
    ///
    /// let telemetry = Telemetry::new("nats", &Capture::new().settings("shop"));
    /// assert_eq!(telemetry.status(), Status::NoMessageYet);
    /// telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).handed_over();
    /// assert_eq!(telemetry.status(), Status::Active);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.watch.status()
    }

    /// Works out what is the same for all messages of an operation at a destination: the fast path for those who keep it.
    ///
    /// ```
    /// use traced_envelope::{Destination, Settings, Telemetry};
    ///
    /// let settings = Settings::default().destination_template("user.*", "user.{id}");
    /// let inbox = Telemetry::new("nats", &settings).prepare("publish", Destination::new("user.7"));
    /// assert_eq!((inbox.span_name(), inbox.name()), ("publish user.{id}", "user.7"));
    /// ```
    #[must_use]
    pub fn prepare(&self, operation: &'static str, destination: Destination) -> PreparedDestination {
        PreparedDestination::new(self.inner.system, operation, destination, &self.inner.settings, Room::ENOUGH)
    }

    /// The same, kept in a cache of at most 1024 destinations and found there by what the client has at hand, such as exchange and
    /// routing key. `describe` is called for a new one only. Beyond the limit it is called for each message, and the destination is
    /// left out of the metrics, unless it has a template. Those with a template take half of the places at most.
    ///
    /// ```
    /// use traced_envelope::{Destination, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let orders = telemetry.prepared("publish", &["orders", "eu"], |parts| Destination::new(parts.join(".")));
    /// assert_eq!(orders.name(), "orders.eu");
    /// ```
    #[inline]
    #[must_use]
    pub fn prepared(
        &self,
        operation: &'static str,
        parts: &[&str],
        describe: impl FnOnce(&[&str]) -> Destination,
    ) -> PreparedDestination {
        let Inner { system, settings, destinations, .. } = &*self.inner;
        destinations.get(system, operation, parts, settings, || describe(parts))
    }

    /// Whether [`Operation::body_size`] is looked at, because [`Settings::message_sizes`] asks for it: an adapter that would have to
    /// count need not.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// assert!(!Telemetry::new("nats", &Settings::default()).notes_message_sizes());
    /// ```
    #[must_use]
    pub fn notes_message_sizes(&self) -> bool {
        self.inner.settings.message_sizes
    }

    pub(crate) fn resolve(&self, operation: &Operation<'_>) -> PreparedDestination {
        match operation.destination {
            Where::Prepared(prepared) => prepared.clone(),
            Where::Named(name) => {
                self.prepared(operation.name, &[name], |_| Destination::new(name).anonymous(is_anonymous(name)))
            }
        }
    }
}

impl Inner {
    /// The facts for hooks; only made where there is one.
    pub(crate) fn message<'a>(
        &self,
        operation: &Operation<'_>,
        destination: &'a PreparedDestination,
        age: Option<Duration>,
        headers: Option<&'a dyn Extractor>,
    ) -> Message<'a> {
        Message {
            operation: operation.name,
            destination: destination.name(),
            attempt: operation.attempt,
            redelivered: operation.redelivered,
            age,
            old_after: self.settings.old_after,
            headers,
        }
    }

    /// Whether the application wants to see a message that is sent, pulled or settled.
    pub(crate) fn wants(&self, operation: &Operation<'_>, destination: &PreparedDestination) -> bool {
        let filter = self.settings.filter.as_ref();
        filter.is_none_or(|wanted| {
            let headers = operation.existing.as_ref().and_then(Existing::headers);
            wanted(&self.message(operation, destination, None, headers))
        })
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Telemetry")
            .field("system", &self.inner.system)
            .field("settings", &self.inner.settings)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
