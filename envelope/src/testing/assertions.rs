use opentelemetry::TraceId;

use super::{Capture, Forest, difference::difference, expectation, outline, span_list};

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
        assert_trace(&self.forest(), expected, || self.still_open());
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
        assert_one_trace(&self.forest(), || self.still_open())
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
        assert!(open.is_empty(), "expected no open spans, {} have not ended:\n{}", open.len(), span_list::list(&open));
    }

    fn still_open(&self) -> String {
        let open = self.open_spans();
        if open.is_empty() {
            String::new()
        } else {
            format!("\nstill open, so not compared:\n{}\n", span_list::list(&open))
        }
    }
}

/// What a test says about spans from anywhere, such as those that a collector got. The panics are those of [`Capture`]'s.
impl Forest {
    /// Compares all spans with the [text of a trace](super#the-text-of-a-trace), as
    /// [`Capture::assert_trace`] does.
    ///
    /// # Panics
    ///
    /// When they differ, or the text cannot be read.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::testing::{Capture, Forest};
    ///
    /// let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// Forest::new(capture.spans()).assert_trace("checkout  shop  INTERNAL");
    /// ```
    #[track_caller]
    pub fn assert_trace(&self, expected: &str) {
        assert_trace(self, expected, String::new);
    }

    /// Asserts that the spans form one trace, and returns its id, as [`Capture::assert_one_trace`] does.
    ///
    /// # Panics
    ///
    /// When there is no span, or more than one trace.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::testing::{Capture, Forest};
    ///
    /// let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// let forest = Forest::new(capture.spans());
    /// assert_eq!(forest.assert_one_trace(), capture.span("checkout").trace_id());
    /// ```
    #[track_caller]
    pub fn assert_one_trace(&self) -> TraceId {
        assert_one_trace(self, String::new)
    }
}

#[track_caller]
fn assert_trace(forest: &Forest, expected: &str, still_open: impl Fn() -> String) {
    let expected = match expectation::parse(expected) {
        Ok(expected) => expected,
        Err(malformed) => panic!("{malformed}"),
    };
    let captured = forest.outline();
    if let Some(difference) = difference(&expected, &captured) {
        panic!(
            "the captured trace is not the expected one\n\nexpected:\n{}\ncaptured:\n{}\ndifference (- expected, + captured):\n{difference}{}",
            indented(&outline::text(&expected, true)),
            indented(&outline::text(&captured, false)),
            still_open()
        );
    }
}

#[track_caller]
fn assert_one_trace(forest: &Forest, still_open: impl Fn() -> String) -> TraceId {
    match *forest.trace_ids() {
        [id] => id,
        ref ids => {
            let of = |id: &TraceId| {
                forest.roots().filter(|tree| tree.span().trace_id() == *id).map(outline::node).collect::<Vec<_>>()
            };
            let traces: String =
                ids.iter().map(|id| format!("\ntrace {id}:\n{}", indented(&outline::text(&of(id), false)))).collect();
            panic!("expected one trace, captured {}\n{traces}{}", ids.len(), still_open())
        }
    }
}

fn indented(text: &str) -> String {
    if text.is_empty() {
        return "  (none)\n".to_owned();
    }
    text.lines().map(|line| format!("  {line}\n")).collect()
}
