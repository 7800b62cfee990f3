use opentelemetry::TraceId;

use super::{Capture, difference::difference, expectation, outline, span};

/// What a test says about a capture. All of these panic when it is not so, with all there is to
/// know in the message.
impl Capture {
    /// Compares all ended spans with the [text of a trace](super#the-text-of-a-trace). Siblings
    /// compare in any order.
    ///
    /// # Panics
    ///
    /// When they differ: the message has both, and the difference marked. When the text cannot be
    /// read: the message names the line.
    ///
    /// ```
    /// use opentelemetry::{KeyValue, trace::{SpanKind, Status, TraceContextExt, Tracer}};
    /// use traced_envelope::testing::Capture;
    ///
    /// let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |cx| {
    ///     cx.span().set_attribute(KeyValue::new("error.type", "OutOfStock"));
    ///     cx.span().set_status(Status::error("no more beans"));
    /// });
    ///
    /// capture.assert_trace("checkout  shop  INTERNAL  ✗ OutOfStock");
    /// ```
    #[track_caller]
    pub fn assert_trace(&self, expected: &str) {
        let expected = match expectation::parse(expected) {
            Ok(expected) => expected,
            Err(malformed) => panic!("{malformed}"),
        };
        let captured = self.forest().outline();
        if let Some(difference) = difference(&expected, &captured) {
            panic!(
                "the captured trace is not the expected one\n\nexpected:\n{}\ncaptured:\n{}\ndifference (- expected, + captured):\n{difference}{}",
                indented(&outline::text(&expected, true)),
                indented(&outline::text(&captured, false)),
                self.still_open()
            );
        }
    }

    /// Asserts that the ended spans form one trace, and returns its id.
    ///
    /// # Panics
    ///
    /// When there is no span, or more than one trace; the message has the text of each.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::testing::Capture;
    ///
    /// let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert_eq!(capture.assert_one_trace(), capture.span("checkout").trace_id());
    /// ```
    #[track_caller]
    pub fn assert_one_trace(&self) -> TraceId {
        let forest = self.forest();
        match *forest.trace_ids() {
            [id] => id,
            ref ids => {
                let of = |id: &TraceId| {
                    forest.roots().filter(|tree| tree.span().trace_id() == *id).map(outline::node).collect::<Vec<_>>()
                };
                let traces: String = ids
                    .iter()
                    .map(|id| format!("\ntrace {id}:\n{}", indented(&outline::text(&of(id), false))))
                    .collect();
                panic!("expected one trace, captured {}\n{traces}{}", ids.len(), self.still_open())
            }
        }
    }

    /// Asserts that every span that was started has ended.
    ///
    /// # Panics
    ///
    /// When one has not; the message lists those.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// capture.assert_no_open_spans();
    /// ```
    #[track_caller]
    pub fn assert_no_open_spans(&self) {
        let open = self.open_spans();
        assert!(open.is_empty(), "expected no open spans, {} have not ended:\n{}", open.len(), span::list(&open));
    }

    fn still_open(&self) -> String {
        let open = self.open_spans();
        if open.is_empty() { String::new() } else { format!("\nstill open, so not compared:\n{}\n", span::list(&open)) }
    }
}

fn indented(text: &str) -> String {
    if text.is_empty() {
        return "  (none)\n".to_owned();
    }
    text.lines().map(|line| format!("  {line}\n")).collect()
}
