//! The producer's side: start the span, inject its context, and leave the call to the client.

use crate::links::Links;
use crate::message_span::Open;
use crate::operation::{Operation, OperationType};
use crate::propagation::restore_random;
use crate::telemetry::Inner;
use crate::{Existing, ExistingContext, MessageSpan, PreparedDestination, Settings, Telemetry, Trust, ambient};
use opentelemetry::propagation::Injector;
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

impl Telemetry {
    /// Starts the span of a message that is sent and writes its context into the headers, also when the span is not sampled.
    ///
    /// The parent is the current context. Kind PRODUCER; CLIENT where a context that the message carries already is kept, which is
    /// then linked. Without an SDK the current context is written, so that a service without telemetry breaks no trace. Under
    /// `Context::is_telemetry_suppressed` nothing happens: an exporter that ships over this broker must not trace itself.
    ///
    /// The carrier must take an empty value as "remove this header" if the operation has an existing context; all carriers of this
    /// workspace do.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, testing::Capture, Telemetry};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut headers = MessageHeaders::new();
    /// telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
    /// assert_eq!(headers.iter().next().map(|(name, _)| name), Some("traceparent"));
    /// capture.assert_trace("publish orders  shop  PRODUCER");
    /// ```
    pub fn send(&self, operation: Operation<'_>, headers: &mut dyn Injector) -> MessageSpan {
        self.start_sending(&operation, OperationType::Send, headers)
    }

    /// Starts the span in which one message of a batch is created, and writes its context into the headers. End it at once; the
    /// batch's send span links it. With [`Settings::create_spans`](crate::Settings::create_spans) off, use
    /// [`send_batch`](Self::send_batch) alone.
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut headers = MessageHeaders::new();
    /// telemetry.create(Operation::new("create", "orders"), &mut headers).end(Outcome::Ok);
    /// assert!(headers.get("traceparent").is_some());
    /// capture.assert_trace("create orders  shop  PRODUCER");
    /// ```
    pub fn create(&self, operation: Operation<'_>, headers: &mut dyn Injector) -> MessageSpan {
        self.start_sending(&operation, OperationType::Create, headers)
    }

    /// Starts the one span that sends a batch, with a link to each message's creation context. It is a CLIENT span then; without
    /// create spans its own context is the messages' creation context, and it is their PRODUCER. A batch of no messages has no span.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, testing::Capture, Telemetry};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut created = Vec::new();
    /// for _ in 0..2 {
    ///     let span = telemetry.create(Operation::new("create", "orders"), &mut MessageHeaders::new());
    ///     created.extend(span.span_context());
    ///     span.end(Outcome::Ok);
    /// }
    /// telemetry.send_batch(Operation::new("publish", "orders").batch(2), created).end(Outcome::Ok);
    /// assert_eq!(capture.span("publish orders").links().len(), 2);
    /// assert_eq!(capture.span("publish orders").kind(), traced_envelope::opentelemetry::trace::SpanKind::Client);
    /// ```
    pub fn send_batch(&self, operation: Operation<'_>, created: impl IntoIterator<Item = SpanContext>) -> MessageSpan {
        let inner = &self.inner;
        if operation.batch == Some(0) {
            return MessageSpan::off();
        }
        let Some((parent, destination)) = self.begin(&operation) else { return MessageSpan::off() };
        if !inner.wants(&operation, &destination) {
            return self.opened(&operation, OperationType::Send, destination, None, None, parent).unrecorded();
        }
        let context = self.start(&operation, &destination, &parent, || {
            let mut attributes = inner.attributes(&operation, OperationType::Send, &destination, None);
            if let Some(add) = &inner.settings.on_send {
                add(&inner.message(&operation, &destination, None, None), &mut attributes);
            }
            let links = Links::of(created);
            links.note_dropped(&mut attributes, inner.settings.semconv);
            // As with a kept context: PRODUCER is the span whose context is the messages' creation context.
            let kind = if inner.settings.create_spans { SpanKind::Client } else { SpanKind::Producer };
            Start { kind, at: None, attributes, links: links.into_vec() }
        });
        self.opened(&operation, OperationType::Send, destination, None, context, parent)
    }

    /// Whether [`create`](Self::create) is to be called for each message of a batch.
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("kafka", &Settings::default().create_spans(false));
    /// assert!(!telemetry.makes_create_spans()); // `MessageSpan::inject` writes the send span's context instead
    /// ```
    #[must_use]
    pub fn makes_create_spans(&self) -> bool {
        self.inner.settings.create_spans
    }

    /// The context that a message of a batch keeps, because [`ExistingContext::Keep`] says so: it needs no create span, is not written
    /// to, and the send span links it.
    ///
    /// ```
    /// use traced_envelope::{ExistingContext, MessageHeaders, Settings, Telemetry};
    ///
    /// let headers: MessageHeaders =
    ///     [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")].into_iter().collect();
    /// let keeping = Telemetry::new("nats", &Settings::default().existing_context(ExistingContext::Keep));
    /// assert!(keeping.kept(&keeping.existing(&headers)).is_some());
    /// let replacing = Telemetry::new("nats", &Settings::default());
    /// assert!(replacing.kept(&replacing.existing(&headers)).is_none());
    /// ```
    #[must_use]
    pub fn kept(&self, existing: &Existing) -> Option<SpanContext> {
        self.inner.keeps(false, existing).then(|| existing.span_context.clone())
    }

    fn start_sending(&self, operation: &Operation<'_>, kind: OperationType, headers: &mut dyn Injector) -> MessageSpan {
        let inner = &self.inner;
        let settings = &inner.settings;
        let Some((parent, destination)) = self.begin(operation) else { return MessageSpan::off() };
        let none = Existing::default();
        let existing = operation.existing.as_ref().unwrap_or(&none);
        let keep = inner.keeps(operation.keep_existing, existing);
        let inject = |context: &Context, headers: &mut dyn Injector| {
            if keep || !settings.propagation.injects() {
                return;
            }
            // Only what is replaced is taken away: without an SDK and without a context, the message keeps the one it has.
            if existing.fields && context.span().span_context().is_valid() {
                inner.propagators.clear(headers);
            }
            inner.propagators.inject(context, headers, &settings.baggage);
        };
        if !inner.wants(operation, &destination) {
            inject(&parent, headers);
            return MessageSpan::off();
        }
        let context = self.start(operation, &destination, &parent, || {
            let mut attributes = inner.attributes(operation, kind, &destination, None);
            if let Some(headers) = existing.headers() {
                settings.headers.capture(headers, &mut attributes);
            }
            if let Some(add) = &settings.on_send {
                add(&inner.message(operation, &destination, None, existing.headers()), &mut attributes);
            }
            let mut links = if existing.span_context.is_valid() {
                vec![Link::with_context(existing.span_context.clone())]
            } else {
                Vec::new()
            };
            links.extend(operation.linked.cloned().map(Link::with_context));
            Start { kind: if keep { SpanKind::Client } else { SpanKind::Producer }, at: None, attributes, links }
        });
        inject(context.as_ref().unwrap_or(&parent), headers);
        if context.is_none() && !settings.metrics {
            return MessageSpan::carrying(parent);
        }
        self.opened(operation, kind, destination, None, context, parent)
    }

    /// Where a span that begins here and now has its parent, and what it is about; `None` where nothing is to be done.
    pub(crate) fn begin(&self, operation: &Operation<'_>) -> Option<(Context, PreparedDestination)> {
        if !self.inner.settings.enabled {
            return None;
        }
        let parent = ambient::context()?;
        Some((parent, self.resolve(operation)))
    }

    /// Starts a span below `parent`; `None` when there is no SDK, for which hardly anything is put together.
    pub(crate) fn start(
        &self,
        operation: &Operation<'_>,
        destination: &PreparedDestination,
        parent: &Context,
        start: impl FnOnce() -> Start,
    ) -> Option<Context> {
        let started = self.inner.tracer.start_span(parent, || {
            let start = start();
            SpanBuilder {
                span_kind: Some(start.kind),
                name: destination.get().span_name(operation.name),
                start_time: start.at,
                attributes: Some(start.attributes),
                links: Some(start.links).filter(|links| !links.is_empty()),
                ..SpanBuilder::default()
            }
        });
        let Some(context) = started else {
            self.inner.watch.missed();
            return None;
        };
        self.inner.watch.seen();
        Some(restore_random(context, parent.span().span_context()))
    }

    /// `context` with the new span, or `else_context` where there is no SDK.
    #[inline]
    pub(crate) fn opened(
        &self,
        operation: &Operation<'_>,
        kind: OperationType,
        destination: PreparedDestination,
        started: Option<SystemTime>,
        context: Option<Context>,
        else_context: Context,
    ) -> MessageSpan {
        let before = || started.and_then(|started| started.elapsed().ok()).unwrap_or_default();
        let now = || Instant::now().checked_sub(before()).unwrap_or_else(Instant::now);
        let open = Open {
            telemetry: Arc::clone(&self.inner),
            destination,
            operation: operation.name,
            kind,
            has_span: context.is_some(),
            started: self.inner.settings.metrics.then(now),
            messages: match operation.batch {
                Some(messages) => u64::try_from(messages).unwrap_or(u64::MAX),
                // What its client tries again has been counted.
                None => u64::from(!operation.again),
            },
            sent: 0,
            handed_over: false,
        };
        MessageSpan::open(context.unwrap_or(else_context), open)
    }
}

impl Inner {
    /// A context of strangers is never kept on purpose: whoever consumes the message next may trust it. Where nothing is written, every
    /// context stays.
    fn keeps(&self, asked: bool, existing: &Existing) -> bool {
        let Settings { existing_context, trust, propagation, .. } = self.settings;
        let wanted = (asked || existing_context == ExistingContext::Keep) && trust == Trust::Trusted;
        (wanted || !propagation.injects()) && existing.span_context.is_valid()
    }
}

impl MessageSpan {
    /// Writes the span's context into one more message: for a batch whose messages have no create spans of their own. A context that
    /// the message carries already is taken away first, which takes a carrier that knows an empty value as "remove this header".
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").create_spans(false));
    /// let span = telemetry.send_batch(Operation::new("publish", "orders").batch(2), []);
    /// let mut headers = MessageHeaders::new();
    /// span.inject(&mut headers);
    /// assert!(headers.get("traceparent").is_some());
    /// ```
    pub fn inject(&self, headers: &mut dyn Injector) {
        if let Some((context, telemetry)) = self.context.as_ref().zip(self.telemetry())
            && telemetry.settings.propagation.injects()
        {
            // An older `tracestate` beside the new `traceparent` would be read as belonging to it.
            if context.span().span_context().is_valid() {
                telemetry.propagators.clear(headers);
            }
            telemetry.propagators.inject(context, headers, &telemetry.settings.baggage);
        }
    }
}

/// What a span has when it starts, besides its name and its parent.
pub(crate) struct Start {
    pub(crate) kind: SpanKind,
    /// `None`: now.
    pub(crate) at: Option<SystemTime>,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) links: Vec<Link>,
}
