use super::{forest::Forest, span::CapturedSpan};

/// One span of a [`Forest`] with those below it.
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
    #[must_use]
    pub fn span(&self) -> &'a CapturedSpan {
        self.span
    }

    /// What is below it.
    pub fn children(&self) -> impl Iterator<Item = Tree<'a>> + use<'a> {
        self.forest.children(self.index)
    }

    /// The forest it stands in.
    #[must_use]
    pub fn forest(&self) -> &'a Forest {
        self.forest
    }

    /// Whether it has a parent that is not in the forest: in another process, or not ended yet.
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.span.parent_id().is_some() && self.forest.parent(self.span).is_none()
    }
}
