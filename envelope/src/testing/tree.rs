use super::{forest::Forest, span::CapturedSpan};

/// One span of a [`Forest`] with those below it.
///
/// ```
/// use opentelemetry::trace::Tracer;
/// use traced_envelope::testing::{Capture, Tree};
///
/// fn depth(tree: Tree<'_>) -> usize {
///     1 + tree.children().map(depth).max().unwrap_or(0)
/// }
///
/// let capture = Capture::new();
/// let shop = capture.tracer("shop");
/// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
/// assert_eq!(capture.forest().roots().map(depth).max(), Some(2));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    forest: &'a Forest,
    index: usize,
    span: &'a CapturedSpan,
}

impl<'a> Tree<'a> {
    pub(super) fn new(forest: &'a Forest, index: usize, span: &'a CapturedSpan) -> Self {
        Self { forest, index, span }
    }

    /// The span.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// let forest = capture.forest();
    /// assert_eq!(forest.roots().next().unwrap().span().name(), "checkout");
    /// ```
    #[must_use]
    pub fn span(&self) -> &'a CapturedSpan {
        self.span
    }

    /// What is below it.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| {
    ///     shop.in_span("reserve", |_| ());
    ///     shop.in_span("pay", |_| ());
    /// });
    ///
    /// let forest = capture.forest();
    /// let children = forest.roots().flat_map(|root| root.children());
    /// assert_eq!(children.map(|child| child.span().name()).collect::<Vec<_>>(), ["reserve", "pay"]);
    /// ```
    pub fn children(&self) -> impl Iterator<Item = Tree<'a>> + use<'a> {
        self.forest.children(self.index)
    }

    /// The forest it stands in.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| shop.in_span("pay", |_| ()));
    ///
    /// let forest = capture.forest();
    /// let pay = forest.roots().next().unwrap().children().next().unwrap();
    /// assert_eq!(pay.forest().parent(pay.span()).unwrap().name(), "checkout"); // the way up
    /// ```
    #[must_use]
    pub fn forest(&self) -> &'a Forest {
        self.forest
    }

    /// Whether it has a parent that is not in the forest: in another process, or not ended yet.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// let shop = capture.tracer("shop");
    /// shop.in_span("checkout", |_| {
    ///     shop.in_span("pay", |_| ());
    ///     assert!(capture.forest().roots().all(|root| root.is_orphan())); // "checkout" has not ended yet
    /// });
    /// assert!(!capture.forest().roots().any(|root| root.is_orphan()));
    /// ```
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.span.parent_id().is_some() && self.forest.parent(self.span).is_none()
    }
}
