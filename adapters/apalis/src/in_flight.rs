//! The spans of jobs that are on their way into the storage.

use std::error::Error;
use traced_envelope::MessageSpan;

/// They wait for the flush that stores their jobs. Dropped with the producer they are cancelled: what was not flushed is lost.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<MessageSpan>);

impl InFlight {
    pub(crate) fn push(&mut self, span: MessageSpan) {
        if span.is_open() {
            self.0.push(span);
        }
    }

    /// The storage's answer, which it gives to all of them at once; an error comes back unchanged.
    pub(crate) fn answered<E: Error + 'static>(&mut self, mut result: Result<(), E>) -> Result<(), E> {
        for span in self.0.drain(..) {
            result = span.in_scope(|| result);
        }
        result
    }
}
