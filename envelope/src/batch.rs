//! Processing many messages at once: one span, with a link to each.

use crate::links::Links;
use crate::operation::{Operation, OperationType};
use crate::relation::{Decision, Surroundings};
use crate::semconv::Name;
use crate::sending::Start;
use crate::{Fact, MessageSpan, PreparedDestination, Relation, Telemetry, Trust, ambient, shared};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

impl Telemetry {
    /// Starts the span in which a batch is processed: one span with a link to each message's creation context, each once and at most
    /// 128. Its context carries no single message's baggage. `messages` gives each message's headers, and the attributes that are
    /// its own, which go on its link. No creation context is the parent, except with [`Relation::Parent`] where all messages have the
    /// same, as a batch of one message has. [`Settings::relation_with`](crate::Settings::relation_with) is not asked: it decides about one
    /// message.
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let headers: MessageHeaders =
    ///     [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")].into_iter().collect();
    /// let batch = [(&headers as &dyn Extractor, Vec::new())];
    /// drop(telemetry.process_batch(Operation::new("process", "orders").batch(1), batch));
    /// assert_eq!(capture.span("process orders").links().len(), 1);
    /// ```
    pub fn process_batch<'h>(
        &self,
        operation: Operation<'_>,
        messages: impl IntoIterator<Item = (&'h dyn Extractor, Vec<(Name, Fact<'h>)>)>,
    ) -> MessageSpan {
        let inner = &*self.inner;
        let settings = &inner.settings;
        if !settings.enabled {
            return MessageSpan::off();
        }
        let Some(ambient) = ambient::span_context() else {
            return MessageSpan::carrying(Context::current());
        };
        let destination = self.resolve(&operation);
        let arrived = self.arrived(&operation, &destination, messages);
        if arrived.seen > 0 && arrived.unwanted == arrived.seen {
            return MessageSpan::carrying(Context::new());
        }
        let relation = inner.relation(&destination, || None);
        // A batch has many creation contexts, so that none is the parent, unless that was asked for and there is one only. The ambient
        // span is decided upon as for a single message.
        let only = shared(arrived.wanted.iter().map(|(creation, _)| creation)).filter(|_| relation == Relation::Parent);
        let only = only.cloned().unwrap_or(SpanContext::NONE);
        let Decision { parent, links: [_, ambient_link] } = relation.decide(&Surroundings {
            creation: &only,
            ambient: &ambient,
            ambient_is_the_loops: ambient == inner.made_in,
            pulled: operation.pulled,
            apart: operation.apart,
        });
        let linked = relation != Relation::Ignore && settings.trust != Trust::UntrustedUnlinked;
        let below = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent.clone()));
        let started = self.start_processing(&operation, &destination, &below, || {
            let mut attributes = inner.attributes(&operation, OperationType::Process, &destination, None);
            if let Some(add) = &settings.on_process {
                add(&inner.message(&operation, &destination, None, None), &mut attributes);
            }
            let of_messages = arrived.wanted.into_iter().filter(|_| linked);
            let ambient_link = ambient_link.map(|ambient| (ambient.clone(), Vec::new()));
            let links = Links::collect(of_messages.chain(ambient_link));
            links.note_dropped(&mut attributes, settings.semconv);
            Start { kind: SpanKind::Consumer, at: None, attributes, links: links.into_vec() }
        });
        self.opened_processing(&operation, destination, started, below).fewer(arrived.unwanted)
    }

    /// Looks at every message of a batch, however many links there may be: all are counted.
    fn arrived<'h>(
        &self,
        operation: &Operation<'_>,
        destination: &PreparedDestination,
        messages: impl IntoIterator<Item = (&'h dyn Extractor, Vec<(Name, Fact<'h>)>)>,
    ) -> Arrived {
        let inner = &*self.inner;
        let settings = &inner.settings;
        let mut arrived = Arrived { wanted: Vec::new(), seen: 0, unwanted: 0 };
        for (headers, facts) in messages {
            arrived.seen += 1;
            let message = || inner.message(operation, destination, None, Some(headers));
            if settings.filter.as_ref().is_some_and(|wanted| !wanted(&message())) {
                arrived.unwanted += 1;
                continue;
            }
            let extracted = inner.extract(headers);
            if settings.metrics {
                inner.count_arrival(operation.name, destination, &extracted, headers, None);
            }
            let mut attributes = Vec::with_capacity(facts.len());
            facts.into_iter().for_each(|(name, fact)| settings.semconv.push(&mut attributes, &name, fact));
            arrived.wanted.push((extracted.span_context, attributes));
        }
        arrived
    }
}

/// What is known of the messages of a batch.
struct Arrived {
    /// Creation context and own attributes of those that the application wants to see.
    wanted: Vec<(SpanContext, Vec<KeyValue>)>,
    seen: u64,
    unwanted: u64,
}
