use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use opentelemetry::{SpanId, TraceId, trace::SpanContext};

use super::{
    outline::{self, Node},
    span::CapturedSpan,
    tree::Tree,
    waterfall::Waterfall,
};

/// Spans of any number of services and traces, as trees: a span stands below its parent.
///
/// A span whose parent is not among them is a root too, marked by [`Tree::is_orphan`]. `Display`
/// writes the text that [`Capture::assert_trace`](super::Capture::assert_trace) reads.
///
/// ```
/// use opentelemetry::trace::Tracer;
/// use traced_envelope::testing::Capture;
///
/// let capture = Capture::new();
/// let tracer = capture.tracer("shop");
/// tracer.in_span("checkout", |_| tracer.in_span("pay", |_| ()));
///
/// let forest = capture.forest();
/// assert_eq!(forest.to_string(), "checkout  shop  INTERNAL\n└─ pay    shop  INTERNAL\n");
/// assert_eq!(forest.roots().count(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Forest {
    // By start; parents before children is not promised: clocks of services differ.
    spans: Vec<CapturedSpan>,
    by_context: HashMap<(TraceId, SpanId), usize>,
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
}

impl Forest {
    /// Arranges spans, in whatever order they come. Siblings are sorted by their start.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::{Capture, Forest};
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("checkout", |_| ());
    /// # capture.tracer("monitoring").in_span("GET /health", |_| ());
    /// let business = capture.spans().into_iter().filter(|span| span.service() != "monitoring");
    /// assert_eq!(Forest::new(business).to_string(), "checkout  shop  INTERNAL\n");
    /// ```
    #[must_use]
    pub fn new(spans: impl IntoIterator<Item = CapturedSpan>) -> Self {
        let mut spans: Vec<_> = spans.into_iter().collect();
        // Stable: of spans that start at once, the one that ended first comes first.
        spans.sort_by_key(CapturedSpan::start);
        let mut by_context = HashMap::new();
        for (index, span) in spans.iter().enumerate() {
            by_context.entry((span.trace_id(), span.span_id())).or_insert(index);
        }
        let parents: Vec<_> =
            spans.iter().map(|span| by_context.get(&(span.trace_id(), span.parent_id()?)).copied()).collect();
        let (mut roots, mut children) = (Vec::new(), vec![Vec::new(); spans.len()]);
        for (index, parent) in parents.iter().enumerate() {
            match parent.and_then(|parent| children.get_mut(parent)) {
                Some(siblings) if !is_its_own_ancestor(index, &parents) => siblings.push(index),
                _ => roots.push(index),
            }
        }
        Self { spans, by_context, roots, children }
    }

    /// The roots, by their start.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    /// shop.in_span("refund", |_| ());
    ///
    /// let forest = capture.forest();
    /// let roots: Vec<_> = forest.roots().map(|root| root.span().name()).collect();
    /// assert_eq!(roots, ["checkout", "refund"]);
    /// ```
    pub fn roots(&self) -> impl Iterator<Item = Tree<'_>> {
        self.trees(&self.roots)
    }

    /// All spans, by their start.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    /// assert_eq!(capture.forest().spans()[0].name(), "checkout"); // though "pay" ended before it
    /// ```
    #[must_use]
    pub fn spans(&self) -> &[CapturedSpan] {
        &self.spans
    }

    /// The traces, by the start of their first span.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    /// shop.in_span("refund", |_| ());
    /// assert_eq!(capture.forest().trace_ids().len(), 2); // three spans
    /// ```
    #[must_use]
    pub fn trace_ids(&self) -> Vec<TraceId> {
        let mut seen = HashSet::new();
        self.spans.iter().map(CapturedSpan::trace_id).filter(|&id| seen.insert(id)).collect()
    }

    /// The span with this context, where it is known: the other end of a link.
    ///
    /// ```
    /// use opentelemetry::trace::{Link, Tracer};
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let tracer = capture.tracer("shop");
    /// # tracer.in_span("publish orders", |_| ());
    /// # let link = Link::with_context(capture.span("publish orders").span_context().clone());
    /// # drop(tracer.span_builder("process orders").with_links(vec![link]).start(&tracer));
    ///
    /// let process = capture.span("process orders");
    /// let forest = capture.forest();
    /// assert_eq!(forest.find(&process.links()[0].span_context).unwrap().name(), "publish orders");
    /// ```
    #[must_use]
    pub fn find(&self, context: &SpanContext) -> Option<&CapturedSpan> {
        self.by_context.get(&(context.trace_id(), context.span_id())).and_then(|&index| self.spans.get(index))
    }

    /// The parent of a span, where it is known.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    ///
    /// let forest = capture.forest();
    /// assert_eq!(forest.parent(&capture.span("pay")).unwrap().name(), "checkout");
    /// assert!(forest.parent(&capture.span("checkout")).is_none());
    /// ```
    #[must_use]
    pub fn parent(&self, span: &CapturedSpan) -> Option<&CapturedSpan> {
        self.by_context.get(&(span.trace_id(), span.parent_id()?)).and_then(|&index| self.spans.get(index))
    }

    /// A picture of it for terminals, and to change how it is drawn.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// let forest = capture.forest();
    /// assert!(forest.waterfall().width(80).to_string().contains("shop  checkout"));
    /// ```
    #[must_use]
    pub fn waterfall(&self) -> Waterfall<'_> {
        Waterfall::new(self)
    }

    /// The same picture as a self-contained SVG document.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("checkout", |_| ());
    /// assert!(capture.forest().to_svg().starts_with("<svg xmlns="));
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        self.waterfall().to_svg()
    }

    pub(super) fn outline(&self) -> Vec<Node> {
        self.roots().map(outline::node).collect()
    }

    pub(super) fn children(&self, index: usize) -> impl Iterator<Item = Tree<'_>> + use<'_> {
        self.children.get(index).into_iter().flat_map(|children| self.trees(children))
    }

    fn trees<'a>(&'a self, indices: &'a [usize]) -> impl Iterator<Item = Tree<'a>> {
        indices.iter().filter_map(|&index| Some(Tree::new(self, index, self.spans.get(index)?)))
    }
}

/// No SDK makes such spans, but spans that were made by hand must not disappear, nor loop for ever.
fn is_its_own_ancestor(index: usize, parents: &[Option<usize>]) -> bool {
    let mut ancestor = index;
    for _ in 0..parents.len() {
        match parents.get(ancestor).copied().flatten() {
            Some(parent) if parent == index => return true,
            Some(parent) => ancestor = parent,
            None => return false,
        }
    }
    // Below a cycle, not in it.
    false
}

impl fmt::Display for Forest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&outline::text(&self.outline(), false))
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanKind;

    use super::{
        super::synthetic::{TRACE, span},
        Forest,
    };

    fn names<'a>(trees: impl Iterator<Item = super::Tree<'a>>) -> Vec<&'a str> {
        trees.map(|tree| tree.span().name()).collect()
    }

    #[test]
    fn spans_stand_below_their_parent_by_start_in_whatever_order_they_come() {
        let forest = Forest::new([
            span(3, 1, "shop", "second", [20, 30]).build(),
            span(4, 3, "shop", "deep", [21, 22]).build(),
            span(2, 1, "shop", "first", [10, 15]).build(),
            span(1, 0, "shop", "root", [0, 50]).build(),
        ]);
        let roots: Vec<_> = forest.roots().collect();
        assert_eq!(names(forest.roots()), ["root"]);
        assert_eq!(names(roots[0].children()), ["first", "second"]);
        assert!(!roots[0].is_orphan());
    }

    #[test]
    fn the_same_span_id_in_another_trace_is_no_parent() {
        let forest = Forest::new([
            span(1, 0, "shop", "root", [0, 50]).build(),
            span(2, 1, "shop", "stranger", [10, 15]).trace(9).build(),
        ]);
        assert_eq!(names(forest.roots()), ["root", "stranger"]);
        assert_eq!(forest.roots().map(|tree| tree.is_orphan()).collect::<Vec<_>>(), [false, true]);
        assert_eq!(forest.trace_ids(), [TRACE.into(), 9.into()]);
    }

    #[test]
    fn a_child_that_starts_before_its_parent_stays_below_it() {
        let forest =
            Forest::new([span(1, 0, "a", "root", [10, 50]).build(), span(2, 1, "b", "early", [5, 15]).build()]);
        assert_eq!(names(forest.roots()), ["root"]);
    }

    #[test]
    fn spans_in_a_circle_are_roots_and_what_is_below_them_stays_there() {
        let forest = Forest::new([
            span(1, 2, "a", "one", [0, 1]).build(),
            span(2, 1, "a", "two", [1, 2]).build(),
            span(3, 3, "a", "itself", [2, 3]).build(),
            span(4, 1, "a", "below", [3, 4]).build(),
        ]);
        assert_eq!(names(forest.roots()), ["one", "two", "itself"]);
        assert_eq!(names(forest.roots().flat_map(|tree| tree.children())), ["below"]);
    }

    #[test]
    fn a_link_is_found_by_both_ids() {
        let sent = span(7, 0, "a", "publish", [0, 1]).kind(SpanKind::Producer).build();
        let forest = Forest::new([sent, span(8, 0, "b", "process", [2, 3]).trace(5).link(TRACE, 7).link(5, 7).build()]);
        let links = forest.spans()[1].links();
        assert_eq!(forest.find(&links[0].span_context).map(|span| span.name()), Some("publish"));
        assert!(forest.find(&links[1].span_context).is_none());
    }
}
