//! How an operation's span relates to the contexts around it.

use super::Operation;
use crate::Existing;
use opentelemetry::trace::SpanContext;

impl<'a> Operation<'a> {
    /// The message was asked for by a single pull, not delivered to a consumer's loop: a span that is active is then the parent under
    /// [`Relation::Auto`](crate::Relation::Auto).
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("rabbitmq", &capture.settings("reports"));
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// capture.tracer("reports").in_span("close the day", |_| {
    ///     drop(telemetry.process(Operation::new("process", "orders").pulled(true), &headers));
    /// });
    /// let parent = capture.span("process orders").parent_id();
    /// assert_eq!(parent, Some(capture.span("close the day").span_id())); // not the message's context
    /// ```
    #[inline]
    #[must_use]
    pub fn pulled(mut self, pulled: bool) -> Self {
        self.pulled = pulled;
        self
    }

    /// The message is not handled in one go with its creation, as a job that is retried or was scheduled for later: under
    /// [`Relation::Auto`](crate::Relation::Auto) its span starts a trace that links the creation context.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
    /// let headers: MessageHeaders =
    ///     [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")].into_iter().collect();
    /// drop(telemetry.process(Operation::new("process", "emails").apart(true), &headers));
    /// let span = capture.span("process emails");
    /// assert_eq!((span.parent_id(), span.links().len()), (None, 1));
    /// ```
    #[inline]
    #[must_use]
    pub fn apart(mut self, apart: bool) -> Self {
        self.apart = apart;
        self
    }

    /// The context that the message carries already, as [`Telemetry::existing`](crate::Telemetry::existing) found it.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let mut headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let existing = telemetry.existing(&headers);
    /// let consumed = existing.span_context().cloned();
    /// drop(telemetry.send(Operation::new("publish", "parcels").existing(existing), &mut headers));
    /// let span = capture.span("publish parcels");
    /// assert_eq!(span.links().first().map(|link| &link.span_context), consumed.as_ref());
    /// ```
    #[inline]
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = Some(existing);
        self
    }

    /// A span that a send span links besides: that of the transaction which the message belongs to, where another span is the parent.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("shop"));
    /// let transaction = telemetry.transaction(Operation::new("transaction", ""));
    /// let linked = transaction.span_context().unwrap();
    /// telemetry.send(Operation::new("send", "orders").link(&linked), &mut MessageHeaders::new()).end(Outcome::Ok);
    /// assert_eq!(capture.span("send orders").links().first().map(|link| &link.span_context), Some(&linked));
    /// ```
    #[inline]
    #[must_use]
    pub fn link(mut self, linked: impl Into<Option<&'a SpanContext>>) -> Self {
        self.linked = linked.into();
        self
    }

    /// Leaves the existing context on the message whatever the settings say: for functions that send a consumed message on.
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let telemetry = Telemetry::new("rabbitmq", &Capture::new().settings("warehouse"));
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let mut headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let retried = Operation::new("publish", "orders.retry").existing(telemetry.existing(&headers));
    /// drop(telemetry.send(retried.keep_existing(), &mut headers));
    /// assert_eq!(headers.get("traceparent"), Some(parent)); // all attempts have one creation context
    /// ```
    #[inline]
    #[must_use]
    pub fn keep_existing(mut self) -> Self {
        self.keep_existing = true;
        self
    }
}
