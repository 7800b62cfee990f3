use opentelemetry::{
    SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, TraceState},
};

use super::span::CapturedSpan;

/// Which span it is, in which trace, and what it refers to.
impl CapturedSpan {
    /// The context: both ids, flags and trace state.
    pub fn span_context(&self) -> &SpanContext {
        &self.data.span_context
    }

    /// The trace it belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.data.span_context.trace_id()
    }

    /// Its own id.
    pub fn span_id(&self) -> SpanId {
        self.data.span_context.span_id()
    }

    /// The parent's id, `None` for the first span of a trace.
    pub fn parent_id(&self) -> Option<SpanId> {
        (self.data.parent_span_id != SpanId::INVALID).then_some(self.data.parent_span_id)
    }

    /// Whether the parent came over the wire.
    pub fn parent_is_remote(&self) -> bool {
        self.data.parent_span_is_remote
    }

    /// The links, in the order in which they were added.
    pub fn links(&self) -> &[Link] {
        &self.data.links
    }

    /// The trace flags.
    pub fn trace_flags(&self) -> TraceFlags {
        self.data.span_context.trace_flags()
    }

    /// Whether it was sampled. A span that is recorded only (`SamplingDecision::RecordOnly`) is
    /// captured, but was not.
    pub fn is_sampled(&self) -> bool {
        self.data.span_context.is_sampled()
    }

    /// The trace state.
    pub fn trace_state(&self) -> &TraceState {
        self.data.span_context.trace_state()
    }

    /// Whether `link` leads to the parent, as consumer spans have it by default.
    pub(super) fn is_link_to_parent(&self, link: &SpanContext) -> bool {
        link.trace_id() == self.trace_id() && Some(link.span_id()) == self.parent_id()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanKind;

    use super::super::synthetic::{TRACE, context, span};

    #[test]
    fn only_a_link_to_the_parent_in_the_same_trace_is_one() {
        let child = span(2, 1, "shop", "process", [0, 5]).kind(SpanKind::Consumer).build();
        assert!(child.is_link_to_parent(&context(TRACE, 1)));
        assert!(!child.is_link_to_parent(&context(7, 1)));
        assert!(!child.is_link_to_parent(&context(TRACE, 3)));
    }
}
