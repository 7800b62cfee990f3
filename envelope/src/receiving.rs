//! The consumer's side: extract, decide the relation, and run the handler inside the span.

use crate::foreign_headers::ForeignHeaders;
use crate::operation::{Operation, OperationType};
#[cfg(feature = "tracing")]
use crate::propagation::restore_random;
use crate::propagation::{Extracted, Finding};
use crate::relation::{Decision, Surroundings};
use crate::semconv;
use crate::sending::Start;
use crate::telemetry::Inner;
use crate::{MessageSpan, PreparedDestination, Relation, Telemetry, Trust, ambient};
use opentelemetry::Context;
use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceState};

impl Telemetry {
    /// Starts the span in which a message is processed. Start it when the handler starts, not when the message is fetched.
    ///
    /// The span's context is the one that the message carries (read into an empty context, never into the current one) with this
    /// span: baggage is kept in every [`Relation`]. Without an SDK the message's context itself is the handler's. A message
    /// without a usable context is counted by `traced.context.missing`.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let span = telemetry.process(Operation::new("process", "orders"), &headers);
    /// assert_eq!(span.in_scope(|| Ok::<_, std::fmt::Error>(())), Ok(()));
    /// assert_eq!(capture.span("process orders").trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// ```
    pub fn process(&self, operation: Operation<'_>, headers: &dyn Extractor) -> MessageSpan {
        let inner = &*self.inner;
        let settings = &inner.settings;
        if !settings.enabled {
            return MessageSpan::off();
        }
        let Some(ambient) = ambient::span_context() else {
            return MessageSpan::carrying(Context::current());
        };
        let destination = self.resolve(&operation);
        let mut extracted = inner.extract(headers);
        let age = operation.age();
        let message = || inner.message(&operation, &destination, age, Some(headers));
        if settings.filter.as_ref().is_some_and(|wanted| !wanted(&message())) {
            return MessageSpan::carrying(inner.passed_through(extracted));
        }
        if settings.metrics && !operation.again {
            inner.count_arrival(operation.name, &destination, &extracted, headers, age);
        }
        let relation = inner.relation(&destination, || Some(settings.relation_hook.as_ref()?(&message())));
        let Decision { parent, links } = relation.decide(&Surroundings {
            creation: &extracted.span_context,
            ambient: &ambient,
            ambient_is_the_loops: ambient.is_valid() && ambient == inner.made_in,
            pulled: operation.pulled,
            apart: operation.apart,
        });
        let linked = if settings.trust == Trust::UntrustedUnlinked { [None, None] } else { links };
        let continued = parent.is_some_and(|parent| std::ptr::eq(parent, &raw const extracted.span_context));
        let below = match parent {
            // A propagator that is not ours has put the creation context there already.
            Some(_) if continued && extracted.has_span() => std::mem::take(&mut extracted.context),
            Some(parent) => extracted.context.with_remote_span_context(parent.clone()),
            None => extracted.without_span(),
        };
        let started = self.start_processing(&operation, &destination, &below, || {
            let link = |context: &SpanContext| Link::with_context(context.clone());
            // Made in its final size: a vector that grows starts with room for four.
            let links = match linked {
                [Some(first), None] | [None, Some(first)] => vec![link(first)],
                [Some(first), Some(second)] => vec![link(first), link(second)],
                [None, None] => Vec::new(),
            };
            let mut attributes = inner.attributes(&operation, OperationType::Process, &destination, age);
            settings.headers.capture(headers, &mut attributes);
            if let Some(add) = &settings.on_process {
                add(&message(), &mut attributes);
            }
            Start { kind: SpanKind::Consumer, at: None, attributes, links }
        });
        let without_sdk = if started.context.is_none() && extracted.span_context.is_valid() && !continued {
            // No span of ours is there to be related: the message's own context passes through.
            inner.passed_through(extracted)
        } else {
            below
        };
        if started.context.is_none() && !settings.metrics {
            return MessageSpan::carrying(without_sdk);
        }
        self.opened_processing(&operation, destination, started, without_sdk)
    }

    /// The context that a message carries, as far as the settings let it in: read into an empty context, which it stays where there is
    /// none, or where those who write to the queue are not trusted.
    ///
    /// ```
    /// use opentelemetry::trace::TraceContextExt;
    /// use traced_envelope::{MessageHeaders, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// assert!(!telemetry.extract(&MessageHeaders::new()).has_active_span());
    /// ```
    #[must_use]
    pub fn extract(&self, headers: &dyn Extractor) -> Context {
        if !self.is_enabled() {
            return Context::new();
        }
        self.inner.passed_through(self.inner.extract(headers))
    }

    pub(crate) fn start_processing(
        &self,
        operation: &Operation<'_>,
        destination: &PreparedDestination,
        below: &Context,
        start: impl FnOnce() -> Start,
    ) -> Started {
        #[cfg(feature = "tracing")]
        if self.inner.settings.tracing_spans
            && let Some(span) = crate::tracing_span::open(&destination.get().span_name(operation.name), below)
        {
            let start = start();
            let Some(context) = crate::tracing_span::start(&span, &start.attributes, &start.links, below) else {
                let context = self.start(operation, destination, below, || start);
                return Started { context, tracing_span: None };
            };
            self.inner.watch.seen();
            let context = Some(restore_random(context, below.span().span_context()));
            return Started { context, tracing_span: Some(span) };
        }
        Started {
            context: self.start(operation, destination, below, start),
            #[cfg(feature = "tracing")]
            tracing_span: None,
        }
    }

    /// The span that was started, or `without_sdk` where none was.
    pub(crate) fn opened_processing(
        &self,
        operation: &Operation<'_>,
        destination: PreparedDestination,
        started: Started,
        without_sdk: Context,
    ) -> MessageSpan {
        let kind = OperationType::Process;
        #[cfg_attr(not(feature = "tracing"), expect(unused_mut, reason = "set below only with the feature"))]
        let mut span = self.opened(operation, kind, destination, None, started.context, without_sdk);
        #[cfg(feature = "tracing")]
        {
            span.tracing_span = started.tracing_span;
        }
        span
    }
}

/// A process span, or that there is none for want of an SDK.
pub(crate) struct Started {
    context: Option<Context>,
    /// The same span, where `tracing` made it.
    #[cfg(feature = "tracing")]
    tracing_span: Option<tracing::Span>,
}

impl Inner {
    /// What the message carries, as far as the settings let it in.
    #[inline]
    pub(crate) fn extract(&self, headers: &dyn Extractor) -> Extracted {
        if self.settings.propagation.extracts() { self.read(headers) } else { Extracted::nothing() }
    }

    /// The same, whether or not what is received counts.
    #[inline]
    pub(crate) fn read(&self, headers: &dyn Extractor) -> Extracted {
        let settings = &self.settings;
        let mut extracted = if settings.foreign_traceparents.is_empty() {
            self.propagators.extract(headers, self.headers_repeat, &settings.baggage)
        } else {
            self.read_also_foreign(headers)
        };
        if settings.trust != Trust::Trusted {
            extracted.distrust();
        }
        extracted
    }

    /// Apart from the other way, which so stays in one piece.
    #[cold]
    fn read_also_foreign(&self, headers: &dyn Extractor) -> Extracted {
        let headers = ForeignHeaders { headers, names: &self.settings.foreign_traceparents };
        self.propagators.extract(&headers, self.headers_repeat, &self.settings.baggage)
    }

    /// Untrusted goes before the application's hook, that before the destination, and all before the setting for everything.
    pub(crate) fn relation(
        &self,
        destination: &PreparedDestination,
        hook: impl FnOnce() -> Option<Relation>,
    ) -> Relation {
        match self.settings.trust {
            Trust::Trusted => hook().or(destination.get().relation).unwrap_or(self.settings.relation),
            Trust::Untrusted | Trust::UntrustedUnlinked => Relation::New,
        }
    }

    /// What the handler gets where no span of ours is made: the message's own context, so that a service without telemetry breaks no
    /// trace; nothing from those who are not trusted.
    fn passed_through(&self, extracted: Extracted) -> Context {
        if self.settings.trust == Trust::Trusted { extracted.into_context() } else { Context::new() }
    }

    pub(crate) fn count_arrival(
        &self,
        operation: &'static str,
        destination: &PreparedDestination,
        extracted: &Extracted,
        headers: &dyn Extractor,
        age: Option<std::time::Duration>,
    ) {
        let reason = match extracted.finding {
            Finding::Valid => None,
            Finding::Absent if !self.propagators.unreadable_in(headers) => Some("absent"),
            Finding::Absent | Finding::Invalid => Some("invalid"),
            Finding::Conflicting => Some("conflicting"),
        };
        if let Some(reason) = reason.filter(|_| self.settings.propagation.extracts()) {
            destination.get().count_missing_context(reason);
            let mut attributes = Vec::with_capacity(4);
            attributes.extend(destination.get().metric_label().cloned());
            self.settings.semconv.push(&mut attributes, &semconv::CONTEXT_REASON, reason);
            self.instruments.get().context_missing.add(1, &attributes);
        }
        if let Some(waited) = age {
            let attributes = destination.get().message_attributes(operation, None);
            self.instruments.get().wait_duration.record(waited.as_secs_f64(), &attributes);
        }
    }
}

impl Extracted {
    fn nothing() -> Self {
        Self { span_context: SpanContext::NONE, context: Context::new(), finding: Finding::Absent }
    }

    /// Leaves the ids alone.
    fn distrust(&mut self) {
        let foreign = &self.span_context;
        let (trace_id, span_id, flags) = (foreign.trace_id(), foreign.span_id(), foreign.trace_flags());
        self.span_context = SpanContext::new(trace_id, span_id, flags, foreign.is_remote(), TraceState::NONE);
        self.context = Context::new();
    }

    fn has_span(&self) -> bool {
        self.context.has_active_span()
    }

    /// The context with the message's baggage and without its span, for a span that starts a trace.
    ///
    /// A propagator that is not ours has put the span into the context, and the API cannot take it out again.
    fn without_span(&self) -> Context {
        if !self.has_span() {
            return self.context.clone();
        }
        let baggage = self.context.baggage();
        if baggage.is_empty() {
            return Context::new();
        }
        Context::new().with_baggage(
            baggage
                .iter()
                .map(|(key, (value, metadata))| KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone())),
        )
    }

    fn into_context(self) -> Context {
        if self.span_context.is_valid() {
            self.context.with_remote_span_context(self.span_context)
        } else {
            self.context
        }
    }
}
