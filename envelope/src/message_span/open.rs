//! What a span knows until its end, and what its end counts.

use crate::PreparedDestination;
use crate::operation::OperationType;
use crate::telemetry::Inner;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Open {
    pub(crate) telemetry: Arc<Inner>,
    pub(crate) destination: PreparedDestination,
    pub(crate) operation: &'static str,
    pub(crate) kind: OperationType,
    /// Whether `context` holds a span of ours; without an SDK metrics are counted all the same.
    pub(crate) has_span: bool,
    /// `None` when there are no metrics.
    pub(crate) started: Option<Instant>,
    /// How many messages the operation is about.
    pub(crate) messages: u64,
    pub(crate) handed_over: bool,
}

impl Open {
    pub(super) fn count(&self, started: Instant, error: Option<&str>) {
        let instruments = self.telemetry.instruments.get();
        let destination = self.destination.get();
        let seconds = started.elapsed().as_secs_f64();
        match self.kind {
            // A message that is created is not sent yet, and its send span counts it; a transaction's messages have their own.
            OperationType::Create | OperationType::Transaction => {}
            OperationType::Process => {
                let attributes = destination.message_attributes(self.operation, error);
                instruments.process_duration.record(seconds, &attributes);
                if self.messages > 0 {
                    instruments.consumed_messages.add(self.messages, &attributes);
                }
            }
            kind @ (OperationType::Send | OperationType::Receive | OperationType::Settle) => {
                let attributes = destination.operation_attributes(self.operation, kind.as_str(), error);
                instruments.operation_duration.record(seconds, &attributes);
                if kind == OperationType::Send {
                    instruments
                        .sent_messages
                        .add(self.messages, &destination.message_attributes(self.operation, error));
                }
            }
        }
    }
}
