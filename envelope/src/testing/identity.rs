use opentelemetry::{
    SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, TraceState},
};

use super::span::CapturedSpan;

/// Which span it is, in which trace, and what it refers to.
impl CapturedSpan {
    /// The context: both ids, flags and trace state.
    ///
    /// ```
    /// use opentelemetry::trace::{TraceContextExt, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// let seen = capture.tracer("shop").in_span("checkout", |cx| cx.span().span_context().clone());
    /// assert_eq!(capture.span("checkout").span_context(), &seen); // what the code inside saw
    /// ```
    pub fn span_context(&self) -> &SpanContext {
        &self.data.span_context
    }

    /// The trace it belongs to.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| {
    ///     capture.tracer("warehouse").in_span("reserve stock", |_| ());
    /// });
    /// assert_eq!(capture.span("reserve stock").trace_id(), capture.span("checkout").trace_id());
    /// ```
    pub fn trace_id(&self) -> TraceId {
        self.data.span_context.trace_id()
    }

    /// Its own id.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// for _attempt in 0..2 {
    ///     capture.tracer("warehouse").in_span("reserve stock", |_| ());
    /// }
    /// let spans = capture.spans();
    /// assert_ne!(spans[0].span_id(), spans[1].span_id()); // two spans, though of one name
    /// ```
    pub fn span_id(&self) -> SpanId {
        self.data.span_context.span_id()
    }

    /// The parent's id, `None` for the first span of a trace.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    /// assert_eq!(capture.span("pay").parent_id(), Some(capture.span("checkout").span_id()));
    /// assert_eq!(capture.span("checkout").parent_id(), None);
    /// ```
    pub fn parent_id(&self) -> Option<SpanId> {
        (self.data.parent_span_id != SpanId::INVALID).then_some(self.data.parent_span_id)
    }

    /// Whether the parent came over the wire.
    ///
    /// ```
    /// use opentelemetry::{Context, propagation::TextMapPropagator, trace::Tracer};
    /// # use std::collections::HashMap;
    /// use traced_envelope::{propagation::W3cPropagator, testing::Capture};
    /// # let capture = Capture::new();
    /// # let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    ///
    /// let received = W3cPropagator::new().extract_with_context(&Context::new(), &headers);
    /// drop(capture.tracer("warehouse").start_with_context("process orders", &received));
    /// assert!(capture.span("process orders").parent_is_remote());
    /// ```
    pub fn parent_is_remote(&self) -> bool {
        self.data.parent_span_is_remote
    }

    /// The links, in the order in which they were added.
    ///
    /// ```
    /// use opentelemetry::trace::{Link, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let tracer = capture.tracer("shop");
    /// # tracer.in_span("publish orders", |_| ());
    ///
    /// let sent = capture.span("publish orders");
    /// let links = vec![Link::with_context(sent.span_context().clone())];
    /// drop(tracer.span_builder("process orders").with_links(links).start(&tracer));
    /// assert_eq!(capture.span("process orders").links()[0].span_context.span_id(), sent.span_id());
    /// ```
    pub fn links(&self) -> &[Link] {
        &self.data.links
    }

    /// The trace flags.
    ///
    /// ```
    /// use opentelemetry::{TraceFlags, trace::Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    ///
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert_eq!(capture.span("checkout").trace_flags(), TraceFlags::SAMPLED);
    /// ```
    pub fn trace_flags(&self) -> TraceFlags {
        self.data.span_context.trace_flags()
    }

    /// Whether it was sampled. A span that is recorded only (`SamplingDecision::RecordOnly`) is
    /// captured, but was not.
    ///
    /// ```
    /// use opentelemetry::{Context, KeyValue, TraceId, trace::{Link, SpanKind, TraceState, Tracer}};
    /// use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
    /// # use traced_envelope::testing::Capture;
    ///
    /// #[derive(Clone, Debug)]
    /// struct RecordOnly;
    ///
    /// impl ShouldSample for RecordOnly {
    ///     // ...
    /// #     fn should_sample(&self, _: Option<&Context>, _: TraceId, _: &str, _: &SpanKind, _: &[KeyValue], _: &[Link]) -> SamplingResult {
    /// #         let decision = SamplingDecision::RecordOnly;
    /// #         SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    /// #     }
    /// }
    ///
    /// let capture = Capture::with_sampler(RecordOnly);
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert!(!capture.span("checkout").is_sampled());
    /// ```
    pub fn is_sampled(&self) -> bool {
        self.data.span_context.is_sampled()
    }

    /// The trace state.
    ///
    /// ```
    /// use opentelemetry::{Context, propagation::TextMapPropagator, trace::Tracer};
    /// # use std::collections::HashMap;
    /// use traced_envelope::{propagation::W3cPropagator, testing::Capture};
    /// # let capture = Capture::new();
    /// # let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers = [("traceparent", traceparent), ("tracestate", "vendor=opaque")];
    /// # let headers: HashMap<_, _> = headers.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    ///
    /// let received = W3cPropagator::new().extract_with_context(&Context::new(), &headers);
    /// drop(capture.tracer("warehouse").start_with_context("process orders", &received));
    /// assert_eq!(capture.span("process orders").trace_state().get("vendor"), Some("opaque")); // came along
    /// ```
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
