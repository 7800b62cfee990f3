//! How a span that processes a message relates to the span that created the message.

use opentelemetry::trace::SpanContext;

/// How a process span relates to the context that the message carries, its *creation context*.
///
/// The conventions make a link the default, allow the creation context as parent of a single message's span, and ask that a span
/// that is already active stays the parent (*Messaging spans*, "Trace structure"). [`Relation::Auto`] follows that and keeps a
/// worker's loop from collecting every message in one endless trace.
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
///
/// # let capture = Capture::new();
/// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
/// let settings = capture.settings("mailer").relation(Relation::Parent).relation_for("emails.*", Relation::Link);
/// let telemetry = Telemetry::new("nats", &settings);
/// drop(telemetry.process(Operation::new("process", "orders"), &headers));
/// drop(telemetry.process(Operation::new("process", "emails.welcome"), &headers));
/// assert!(capture.span("process orders").parent_id().is_some());
/// assert!(capture.span("process emails.welcome").parent_id().is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Relation {
    /// In a consumer's loop: the creation context is the parent, and linked too; a span that is active around the loop is linked,
    /// unless it was active already when the consumer was made. A message that is handled apart from its creation, as a job that is
    /// retried or was scheduled for later, starts a trace that links the same. For a single pull inside an active span: that span is the parent,
    /// the creation context is linked.
    #[default]
    Auto,
    /// The creation context is the parent, and linked too; without one, the span starts a trace. So does the span of a batch, unless all
    /// its messages have the same creation context, as a batch of one message has.
    Parent,
    /// The active span is the parent, or none; the creation context is linked.
    Link,
    /// The span starts a trace; the creation context is linked.
    New,
    /// The active span is the parent, or none; the creation context is not even linked. Baggage is kept.
    Ignore,
}

/// Where a process span finds itself.
pub(crate) struct Surroundings<'a> {
    /// The context that the message carries; invalid when it carries none.
    pub(crate) creation: &'a SpanContext,
    /// The span that is current now; invalid when there is none.
    pub(crate) ambient: &'a SpanContext,
    /// Whether `ambient` was current already when the consumer was made.
    pub(crate) ambient_is_the_loops: bool,
    /// Whether the message was asked for by a single pull.
    pub(crate) pulled: bool,
    /// Whether the message is handled apart from its creation.
    pub(crate) apart: bool,
}

/// Parent and links; contexts that are not valid are left out.
pub(crate) struct Decision<'a> {
    pub(crate) parent: Option<&'a SpanContext>,
    pub(crate) links: [Option<&'a SpanContext>; 2],
}

impl Relation {
    pub(crate) fn decide<'a>(self, around: &Surroundings<'a>) -> Decision<'a> {
        let valid = |context: &'a SpanContext| Some(context).filter(|context| context.is_valid());
        let creation = valid(around.creation);
        let ambient = valid(around.ambient);
        let (parent, links) = match self {
            Self::Auto if around.pulled && ambient.is_some() => (ambient, [creation, None]),
            Self::Auto => {
                let around_the_loop = ambient.filter(|_| !around.ambient_is_the_loops && !around.pulled);
                (creation.filter(|_| !around.apart), [creation, around_the_loop])
            }
            Self::Parent => (creation, [creation, None]),
            Self::Link => (ambient, [creation, None]),
            Self::New => (None, [creation, None]),
            Self::Ignore => (ambient, [None, None]),
        };
        let [first, second] = links;
        Decision { parent, links: [first, second.filter(|second| Some(*second) != first)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    fn context(id: u64) -> SpanContext {
        SpanContext::new(TraceId::from(u128::from(id)), SpanId::from(id), TraceFlags::SAMPLED, false, TraceState::NONE)
    }

    /// Relation, creation, ambient, ambient is the loop's, pulled; then parent and links, all by span id (0 = none).
    #[test]
    fn every_relation_has_its_parent_and_its_links() {
        use Relation::{Auto, Ignore, Link, New, Parent};
        let cases = [
            (Auto, 1, 0, false, false, 1, [1, 0]),
            (Auto, 1, 2, false, false, 1, [1, 2]),
            (Auto, 1, 2, true, false, 1, [1, 0]),
            (Auto, 0, 2, false, false, 0, [0, 2]),
            (Auto, 0, 2, true, false, 0, [0, 0]),
            (Auto, 1, 2, false, true, 2, [1, 0]),
            (Auto, 1, 2, true, true, 2, [1, 0]),
            (Auto, 1, 0, false, true, 1, [1, 0]),
            (Auto, 0, 2, false, true, 2, [0, 0]),
            (Auto, 1, 1, false, false, 1, [1, 0]),
            (Parent, 1, 2, false, false, 1, [1, 0]),
            (Parent, 0, 2, false, false, 0, [0, 0]),
            (Link, 1, 2, false, false, 2, [1, 0]),
            (Link, 1, 0, false, false, 0, [1, 0]),
            (New, 1, 2, false, false, 0, [1, 0]),
            (Ignore, 1, 2, false, false, 2, [0, 0]),
            (Ignore, 1, 0, false, false, 0, [0, 0]),
        ];
        for (relation, creation, ambient, ambient_is_the_loops, pulled, parent, links) in cases {
            let case = format!(
                "{relation:?}, creation {creation}, ambient {ambient}, loop's {ambient_is_the_loops}, pulled {pulled}"
            );
            let (creation, ambient) = (context(creation), context(ambient));
            let around =
                Surroundings { creation: &creation, ambient: &ambient, ambient_is_the_loops, pulled, apart: false };
            let decision = relation.decide(&around);
            let id = |context: Option<&SpanContext>| {
                context.map_or(0, |context| u64::from_be_bytes(context.span_id().to_bytes()))
            };
            assert_eq!((id(decision.parent), decision.links.map(id)), (parent, links), "{case}");

            let decision = relation.decide(&Surroundings { apart: true, ..around });
            let parent = if relation == Auto && !(pulled && ambient.is_valid()) { 0 } else { parent };
            assert_eq!((id(decision.parent), decision.links.map(id)), (parent, links), "{case}, apart");
        }
    }
}
