//! The spans of jobs that are on their way into the storage.

use std::error::Error;
use traced_envelope::MessageSpan;

/// They wait for the flush that stores their jobs. Dropped with the producer they are cancelled: what was not flushed is lost.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    spans: Vec<MessageSpan>,
    /// How many there were when the flush that runs began. apalis' own sinks answer a flush for what it took with it, not for what
    /// was sent while it ran.
    flushing: Option<usize>,
}

impl InFlight {
    pub(crate) fn push(&mut self, span: MessageSpan) {
        if span.is_open() {
            self.spans.push(span);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A flush runs.
    pub(crate) fn flushing(&mut self) {
        self.flushing.get_or_insert(self.spans.len());
    }

    /// The answer of the flush that ran, or of one that took no time: it is for all that it took with it. An error comes back
    /// unchanged. What was sent meanwhile stays.
    pub(crate) fn flushed<E: Error + 'static>(&mut self, result: Result<(), E>) -> Result<(), E> {
        let taken = self.flushing.take().unwrap_or(self.spans.len());
        self.end(taken, result)
    }

    /// The answer for all of them.
    pub(crate) fn answered<E: Error + 'static>(&mut self, result: Result<(), E>) -> Result<(), E> {
        self.flushing = None;
        self.end(self.spans.len(), result)
    }

    fn end<E: Error + 'static>(&mut self, first: usize, mut result: Result<(), E>) -> Result<(), E> {
        for span in self.spans.drain(..first.min(self.spans.len())) {
            result = span.in_scope(|| result);
        }
        result
    }
}
