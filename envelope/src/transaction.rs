//! Several operations that succeed or fail together.

use crate::operation::{Operation, OperationType};
use crate::sending::Start;
use crate::{MessageSpan, Telemetry, ambient};
use opentelemetry::Context;
use opentelemetry::trace::SpanKind;

impl Telemetry {
    /// Starts the span around a transaction, from its begin to its commit or abort.
    ///
    /// The conventions have none. It is INTERNAL, because it brackets the application's own code, and its operation type is a value of
    /// our own, `transaction`, which they allow where none of theirs fits; it counts neither as a sent message nor in the duration
    /// of client operations. Dropped before its end it is cancelled, as a transaction is that nobody commits.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("shop"));
    /// let span = telemetry.transaction(Operation::new("transaction", ""));
    /// // ... messages are sent, and committed ...
    /// span.end(Outcome::Ok);
    /// capture.assert_trace("transaction  shop  INTERNAL");
    /// ```
    pub fn transaction(&self, operation: Operation<'_>) -> MessageSpan {
        let inner = &*self.inner;
        if !inner.settings.enabled || Context::is_current_telemetry_suppressed() {
            return MessageSpan::off();
        }
        let parent = ambient::context();
        let destination = self.resolve(&operation);
        if !inner.wants(&operation, &destination) {
            return MessageSpan::off();
        }
        let kind = OperationType::Transaction;
        let attributes = inner.attributes(&operation, kind, &destination, None);
        let start = Start { kind: SpanKind::Internal, at: None, attributes, links: Vec::new() };
        let context = self.start(&operation, &destination, start, &parent);
        self.opened(&operation, kind, destination, None, context, parent)
    }
}
