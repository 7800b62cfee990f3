//! Pulling and settling: the client's calls around a message, as spans of their own for those who ask for them.

use crate::links::Links;
use crate::operation::{Operation, OperationType};
use crate::sending::Start;
use crate::{MessageSpan, Telemetry};
use opentelemetry::trace::{SpanContext, SpanKind};
use std::time::SystemTime;

impl Telemetry {
    /// Starts the span of an acknowledgement, a rejection or a commit, linked to the messages that it settles. Does nothing unless
    /// [`Settings::settle_spans`](crate::Settings::settle_spans) asks for it.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse").settle_spans(true));
    /// telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::Ok);
    /// capture.assert_trace("ack orders  warehouse  CLIENT");
    /// ```
    pub fn settle(&self, operation: Operation<'_>, settled: impl IntoIterator<Item = SpanContext>) -> MessageSpan {
        let wanted = self.inner.settings.settle_spans;
        self.client_span(&operation, OperationType::Settle, wanted, None, settled)
    }

    /// Makes the span of a pull that began at `started` and brought these messages; an empty pull has no span. End it at once. Does
    /// nothing unless [`Settings::receive_spans`](crate::Settings::receive_spans) asks for it.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse").receive_spans(true));
    /// let started = std::time::SystemTime::now();
    /// // ... the client's call, which brought a message ...
    /// telemetry.receive(Operation::new("poll", "orders"), started, []).end(Outcome::Ok);
    /// capture.assert_trace("poll orders  warehouse  CLIENT");
    /// ```
    pub fn receive(
        &self,
        operation: Operation<'_>,
        started: SystemTime,
        received: impl IntoIterator<Item = SpanContext>,
    ) -> MessageSpan {
        let wanted = self.inner.settings.receive_spans;
        self.client_span(&operation, OperationType::Receive, wanted, Some(started), received)
    }

    /// Whether [`receive`](Self::receive) does anything, so that an adapter need not describe what is not asked for.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default().receive_spans(true));
    /// assert!(telemetry.makes_receive_spans() && !telemetry.makes_settle_spans());
    /// ```
    #[must_use]
    pub fn makes_receive_spans(&self) -> bool {
        self.inner.settings.enabled && self.inner.settings.receive_spans
    }

    /// Whether [`settle`](Self::settle) does anything.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("kafka", &Settings::default());
    /// assert!(!telemetry.makes_settle_spans()); // no need to keep contexts until the commit
    /// ```
    #[must_use]
    pub fn makes_settle_spans(&self) -> bool {
        self.inner.settings.enabled && self.inner.settings.settle_spans
    }

    fn client_span(
        &self,
        operation: &Operation<'_>,
        kind: OperationType,
        wanted: bool,
        started: Option<SystemTime>,
        linked: impl IntoIterator<Item = SpanContext>,
    ) -> MessageSpan {
        let inner = &*self.inner;
        if !wanted {
            return MessageSpan::off();
        }
        let Some((parent, destination)) = self.begin(operation) else { return MessageSpan::off() };
        if !inner.wants(operation, &destination) {
            return MessageSpan::off();
        }
        let context = self.start(operation, &destination, &parent, || {
            let mut attributes = inner.attributes(operation, kind, &destination, None);
            let links = Links::of(linked);
            links.note_dropped(&mut attributes, inner.settings.semconv);
            Start { kind: SpanKind::Client, at: started, attributes, links: links.into_vec() }
        });
        self.opened(operation, kind, destination, started, context, parent)
    }
}
