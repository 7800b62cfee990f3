//! How contexts travel and how spans relate to each other.

use super::Settings;
use crate::pattern::Pattern;
use crate::{BaggagePolicy, ExistingContext, Message, Propagation, Relation, Trust};
use std::sync::Arc;

impl Settings {
    /// Which way contexts travel. Default: both.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Propagation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("shop").propagation(Propagation::ExtractOnly);
    /// let mut headers = MessageHeaders::new();
    /// drop(Telemetry::new("kafka", &settings).send(Operation::new("send", "orders"), &mut headers));
    /// assert_eq!(headers, MessageHeaders::new()); // for brokers that refuse headers
    /// assert_eq!(capture.spans().len(), 1);
    /// ```
    #[must_use]
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        self.propagation = propagation;
        self
    }

    /// What becomes of a context that a message to be sent carries already. Default: [`ExistingContext::Replace`].
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{ExistingContext, MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let settings = Capture::new().settings("forwarder").existing_context(ExistingContext::Keep);
    /// let telemetry = Telemetry::new("nats", &settings);
    /// let mut headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let operation = Operation::new("publish", "orders.eu").existing(telemetry.existing(&headers));
    /// drop(telemetry.send(operation, &mut headers));
    /// assert_eq!(headers.get("traceparent"), Some(parent)); // the hop leaves no trace in the message
    /// ```
    #[must_use]
    pub fn existing_context(mut self, policy: ExistingContext) -> Self {
        self.existing_context = policy;
        self
    }

    /// Whether those who write to the queue are trusted. Default: [`Trust::Trusted`].
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, Trust, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let telemetry = Telemetry::new("nats", &capture.settings("uploads").trust(Trust::UntrustedUnlinked));
    /// drop(telemetry.process(Operation::new("process", "uploads"), &headers)); // with a stranger's context
    /// let span = capture.span("process uploads");
    /// assert_eq!((span.parent_id(), span.links().len()), (None, 0));
    /// ```
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Short for [`trust`](Self::trust) with [`Trust::Untrusted`].
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let telemetry = Telemetry::new("nats", &capture.settings("uploads").untrusted());
    /// drop(telemetry.process(Operation::new("process", "uploads"), &headers)); // with a stranger's context
    /// let span = capture.span("process uploads");
    /// assert_eq!((span.parent_id(), span.links().len()), (None, 1));
    /// ```
    #[must_use]
    pub fn untrusted(self) -> Self {
        self.trust(Trust::Untrusted)
    }

    /// Which baggage crosses the queue, in both directions. Default: all of it, within the limits of the W3C.
    ///
    /// ```
    /// use opentelemetry::{Context, KeyValue, baggage::BaggageExt, propagation::Extractor};
    /// use traced_envelope::{BaggagePolicy, MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("shop").baggage(BaggagePolicy::only(["tenant.id"]));
    /// let baggage = [KeyValue::new("tenant.id", "acme"), KeyValue::new("user.email", "ada@example.com")];
    /// let _request = Context::new().with_baggage(baggage).attach();
    /// let mut headers = MessageHeaders::new();
    /// drop(Telemetry::new("nats", &settings).send(Operation::new("publish", "orders"), &mut headers));
    /// assert_eq!(headers.get("baggage"), Some("tenant.id=acme"));
    /// ```
    #[must_use]
    pub fn baggage(mut self, policy: BaggagePolicy) -> Self {
        self.baggage = policy;
        self
    }

    /// Headers in which other frameworks write what the W3C calls `traceparent`: looked at in this order where a message has no header
    /// of that name. Default: none. For propagators that read `traceparent`, as the default one does.
    ///
    /// | written by | header |
    /// |---|---|
    /// | MassTransit | `MT-Activity-Id` |
    /// | Wolverine | `parent-id` |
    /// | Rebus | `rbs-ot-traceparent` |
    /// | CloudEvents, binary mode on Kafka | `ce_traceparent` |
    /// | CloudEvents, binary mode on AMQP | `cloudEvents:traceparent`, `cloudEvents_traceparent` |
    ///
    /// NServiceBus writes `traceparent`, and asks in another header for a trace of its own: that is for
    /// [`relation_with`](Self::relation_with).
    ///
    /// ```
    /// use traced_envelope::testing::Capture;
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Relation, Telemetry};
    ///
    /// let capture = Capture::new();
    /// let settings = capture
    ///     .settings("billing")
    ///     .foreign_traceparents(["MT-Activity-Id"])
    ///     .relation_with(|message| match message.header("NServiceBus.OpenTelemetry.StartNewTrace") {
    ///         Some(_) => Relation::New,
    ///         None => Relation::Auto,
    ///     });
    /// let telemetry = Telemetry::new("rabbitmq", &settings);
    /// let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let headers: MessageHeaders = [("MT-Activity-Id", context)].into_iter().collect();
    /// telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
    /// assert_eq!(capture.span("process orders").trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// ```
    #[must_use]
    pub fn foreign_traceparents(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.foreign_traceparents.extend(headers.into_iter().map(Into::into));
        self
    }

    /// How process spans relate to the message's creation context. Default: [`Relation::Auto`].
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse").relation(Relation::Link));
    /// drop(telemetry.process(Operation::new("process", "orders"), &headers));
    /// let span = capture.span("process orders");
    /// assert_eq!((span.parent_id(), span.links().len()), (None, 1));
    /// ```
    #[must_use]
    pub fn relation(mut self, relation: Relation) -> Self {
        self.relation = relation;
        self
    }

    /// The same for destinations whose name fits a pattern, in which `*` stands for any run of characters. The first that fits
    /// counts; it goes before [`relation`](Self::relation).
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let settings = capture.settings("mailer").relation_for("emails.*", Relation::New);
    /// let telemetry = Telemetry::new("nats", &settings);
    /// drop(telemetry.process(Operation::new("process", "orders"), &headers));
    /// drop(telemetry.process(Operation::new("process", "emails.welcome"), &headers));
    /// assert!(capture.span("process orders").parent_id().is_some());
    /// assert!(capture.span("process emails.welcome").parent_id().is_none());
    /// ```
    #[must_use]
    pub fn relation_for(mut self, destination: impl Into<String>, relation: Relation) -> Self {
        self.relations.push((Pattern::new(destination), relation));
        self
    }

    /// The same, message by message, but not for batches. It goes before [`relation_for`](Self::relation_for); a panic in it is the
    /// application's.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent), ("x-replay", "1")].into_iter().collect();
    /// let settings = capture.settings("warehouse").relation_with(|message| match message.header("x-replay") {
    ///     Some(_) => Relation::New,
    ///     None => Relation::Auto,
    /// });
    /// drop(Telemetry::new("nats", &settings).process(Operation::new("process", "orders"), &headers));
    /// assert_eq!(capture.span("process orders").parent_id(), None); // the message is a replay
    /// ```
    #[must_use]
    pub fn relation_with(mut self, decide: impl Fn(&Message<'_>) -> Relation + Send + Sync + 'static) -> Self {
        self.relation_hook = Some(Arc::new(decide));
        self
    }

    /// Which envelopes consumers of transports without headers open. Default: [`AcceptedForms::default`](crate::AcceptedForms).
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Settings};
    ///
    /// let settings = Settings::default().accept_forms(AcceptedForms::all());
    /// assert_eq!(settings.accepted_forms(), AcceptedForms::all());
    /// ```
    #[cfg(feature = "payload-envelope")]
    #[must_use]
    pub fn accept_forms(mut self, forms: crate::AcceptedForms) -> Self {
        self.accepted_forms = forms;
        self
    }

    /// The envelopes that [`accept_forms`](Self::accept_forms) allows: for adapters, which decode messages.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope, Settings};
    ///
    /// let settings = Settings::default().accept_forms(AcceptedForms::none());
    /// let bytes = br#"{"trace_context":{},"payload":1}"#;
    /// assert_eq!(Envelope::decode(bytes, settings.accepted_forms()).payload(), bytes);
    /// ```
    #[cfg(feature = "payload-envelope")]
    #[must_use]
    pub fn accepted_forms(&self) -> crate::AcceptedForms {
        self.accepted_forms
    }
}
