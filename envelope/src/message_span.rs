//! The span of one operation on messages: it ends exactly once, whatever happens.

mod open;

use crate::Outcome;
use crate::outcome::ErrorKind;
use crate::semconv::{self, Name};
use crate::telemetry::Inner;
pub(crate) use open::Open;
use opentelemetry::trace::{self, SpanContext, TraceContextExt};
use opentelemetry::{Context, ContextGuard, Key, KeyValue, Value};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The span of one operation, from its start to its one end.
///
/// It ends with [`end`](Self::end), when the future given to [`run`](Self::run) or the closure given to
/// [`in_scope`](Self::in_scope) returns or panics, and when it is dropped: as [`Outcome::cancelled`], or without an error once
/// [`handed_over`](Self::handed_over) was called. Later ends change nothing. Where there is nothing to record (switched off,
/// suppressed, filtered, no SDK) the same calls do nothing but carry the context.
///
/// # Cancel safety
/// The futures that it returns may be dropped at any point: the span ends then.
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
///
/// # let capture = Capture::new();
/// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
/// let mut headers = MessageHeaders::new();
/// let span = telemetry.send(Operation::new("publish", "orders"), &mut headers);
/// // ... hand `headers` and the payload to the client ...
/// span.end(Outcome::Ok);
/// capture.assert_trace("publish orders  shop  PRODUCER");
/// ```
#[must_use = "the span ends when this is dropped"]
pub struct MessageSpan {
    /// What the handler or the call runs in; `None` leaves the current one in place.
    pub(crate) context: Option<Context>,
    /// `None` once it has ended, and when there is nothing to record.
    pub(crate) open: Option<Open>,
    /// The same span, where `tracing` made it.
    #[cfg(feature = "tracing")]
    pub(crate) tracing_span: Option<tracing::Span>,
}

impl MessageSpan {
    /// Records nothing and carries nothing: for an adapter that is switched off by [`Settings::enabled`](crate::Settings::enabled).
    ///
    /// ```
    /// assert!(!traced_envelope::MessageSpan::off().is_open());
    /// ```
    pub fn off() -> Self {
        Self::new(None, None)
    }

    /// Records nothing, but carries a context.
    pub(crate) fn carrying(context: Context) -> Self {
        Self::new(Some(context), None)
    }

    pub(crate) fn open(context: Context, open: Open) -> Self {
        Self::new(Some(context), Some(open))
    }

    fn new(context: Option<Context>, open: Option<Open>) -> Self {
        Self {
            context,
            open,
            #[cfg(feature = "tracing")]
            tracing_span: None,
        }
    }

    /// Records nothing from here on, but still knows what it would write into messages.
    pub(crate) fn unrecorded(mut self) -> Self {
        if let Some(open) = &mut self.open {
            open.has_span = false;
            open.started = None;
        }
        self
    }

    /// So many of the messages are not to be counted.
    pub(crate) fn fewer(mut self, messages: u64) -> Self {
        if let Some(open) = &mut self.open {
            open.messages = open.messages.saturating_sub(messages);
        }
        self
    }

    pub(crate) fn telemetry(&self) -> Option<&Inner> {
        self.open.as_ref().map(|open| &*open.telemetry)
    }

    pub(crate) fn error_names(&self) -> Option<Arc<ErrorKind>> {
        self.open.as_ref()?.telemetry.settings.on_error.clone()
    }

    /// The context of the span: what child spans take as parent, with the message's baggage. Where nothing is recorded it is the
    /// message's context, or the current one.
    ///
    /// ```
    /// use opentelemetry::baggage::BaggageExt;
    /// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let headers: MessageHeaders = [("baggage", "tenant.id=acme")].into_iter().collect();
    /// let span = telemetry.process(Operation::new("process", "orders"), &headers);
    /// assert_eq!(span.context().baggage().get("tenant.id").map(|id| id.as_str()), Some("acme"));
    /// ```
    pub fn context(&self) -> Cow<'_, Context> {
        self.context.as_ref().map_or_else(|| Cow::Owned(Context::current()), Cow::Borrowed)
    }

    /// The span's own context; `None` when no span is recorded or it has ended.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse").settle_spans(true));
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let processed = span.span_context(); // before it ends
    /// span.end(Outcome::Ok);
    /// telemetry.settle(Operation::new("ack", "orders"), processed).end(Outcome::Ok);
    /// assert_eq!(capture.span("ack orders").links().len(), 1);
    /// ```
    pub fn span_context(&self) -> Option<SpanContext> {
        let context = self.context.as_ref().filter(|_| self.open.as_ref().is_some_and(|open| open.has_span))?;
        Some(context.span().span_context().clone())
    }

    /// Whether the span waits for its end.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let settings = Capture::new().settings("shop").filter(|message| message.destination() != "heartbeats");
    /// let telemetry = Telemetry::new("nats", &settings);
    /// let publish = |subject| telemetry.send(Operation::new("publish", subject), &mut MessageHeaders::new());
    /// assert!(publish("orders").is_open() && !publish("heartbeats").is_open());
    /// ```
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Adds what became known after the start, such as the partition that the broker chose.
    ///
    /// ```
    /// use traced_envelope::{Operation, Telemetry, semconv, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let span = Telemetry::new("kafka", &capture.settings("")).transaction(Operation::new("transaction", ""));
    /// span.set_attribute(&semconv::KAFKA_OFFSET, 41);
    /// drop(span);
    /// assert_eq!(capture.span("transaction").attribute("messaging.kafka.offset"), Some(&41.into()));
    /// ```
    pub fn set_attribute(&self, name: &Name, value: impl Into<Value>) {
        self.set_attributes([(name, value.into())]);
    }

    /// [`set_attribute`](Self::set_attribute) for several at once.
    ///
    /// ```
    /// use traced_envelope::{Operation, Telemetry, semconv, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let span = Telemetry::new("kafka", &capture.settings("")).transaction(Operation::new("transaction", ""));
    /// span.set_attributes([(&semconv::DESTINATION_PARTITION, "3".into()), (&semconv::KAFKA_OFFSET, 41.into())]);
    /// drop(span);
    /// assert_eq!(capture.span("transaction").attribute("messaging.kafka.offset"), Some(&41.into()));
    /// ```
    pub fn set_attributes<'a>(&self, attributes: impl IntoIterator<Item = (&'a Name, Value)>) {
        if let (Some(context), Some(open)) = (&self.context, &self.open)
            && open.has_span
        {
            let mut all = Vec::with_capacity(4);
            attributes.into_iter().for_each(|(name, it)| open.telemetry.settings.semconv.push(&mut all, name, it));
            context.span().set_attributes(all);
        }
    }

    /// The message is with the broker: to be dropped from now on is no error, the message will be delivered.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut span = telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new());
    /// span.handed_over();
    /// drop(span); // nobody waits for the broker's answer
    /// assert!(!capture.span("publish orders").is_error());
    /// ```
    pub fn handed_over(&mut self) {
        if let Some(open) = &mut self.open {
            open.handed_over = true;
        }
    }

    /// Ends the span.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let span = telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new());
    /// span.end(Outcome::error("unroutable", "no queue is bound"));
    /// capture.assert_trace("publish orders  shop  PRODUCER  ✗ unroutable");
    /// ```
    pub fn end(mut self, outcome: Outcome) {
        self.finish(&outcome);
    }

    /// Makes the span's context the current one, for a short stretch of synchronous code.
    ///
    /// The guard must not live across an `.await`: it is not `Send`.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let guard = span.attach();
    /// capture.tracer("shop").in_span("reserve stock", |_| ());
    /// drop(guard);
    /// span.end(Outcome::Ok);
    /// capture.assert_one_trace();
    /// ```
    pub fn attach(&self) -> Option<ContextGuard> {
        self.context.clone().map(Context::attach)
    }

    pub(crate) fn finish(&mut self, outcome: &Outcome) {
        let Some(open) = self.open.take() else { return };
        #[cfg(feature = "tracing")]
        let _closed_last = self.tracing_span.take();
        let error = match outcome {
            Outcome::Error { kind, message } => Some((kind, message)),
            Outcome::Ok | Outcome::Deferred => None,
        };
        if let Some(context) = self.context.as_ref().filter(|_| open.has_span) {
            let span = context.span();
            if let Some((kind, message)) = error {
                let key = Key::from_static_str(semconv::ERROR_TYPE.in_1_45());
                span.set_attribute(KeyValue::new(key, kind.clone()));
                span.set_status(trace::Status::error(message.clone()));
                #[cfg(feature = "logs")]
                if let Some(logger) = &open.telemetry.settings.logger {
                    logger.emit(&open.telemetry.tracer.scope, open.kind, span.span_context(), kind, message);
                }
            }
            span.end();
        }
        if let Some(started) = open.started {
            open.count(started, error.map(|(kind, _)| &**kind));
        }
    }
}

impl Drop for MessageSpan {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            let outcome = if open.handed_over { Outcome::Ok } else { Outcome::cancelled() };
            self.finish(&outcome);
        }
    }
}

impl fmt::Debug for MessageSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MessageSpan")
            .field("span_context", &self.span_context())
            .field("is_open", &self.is_open())
            .finish()
    }
}
