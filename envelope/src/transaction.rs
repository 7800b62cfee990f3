//! Several operations that succeed or fail together.

use crate::operation::{Operation, OperationType};
use crate::sending::Start;
use crate::{MessageSpan, Telemetry};
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
        let Some((parent, destination)) = self.begin(&operation) else { return MessageSpan::off() };
        if !self.inner.wants(&operation, &destination) {
            return MessageSpan::off();
        }
        let kind = OperationType::Transaction;
        let context = self.start(&operation, &destination, &parent, || {
            let attributes = self.inner.attributes(&operation, kind, &destination, None);
            Start { kind: SpanKind::Internal, at: None, attributes, links: Vec::new() }
        });
        self.opened(&operation, kind, destination, None, context, parent)
    }
}
