//! What a span knows until its end, and what its end counts.

use crate::operation::OperationType;
use crate::telemetry::Inner;
use crate::{MessageSpan, PreparedDestination};
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
    /// How many messages ended as the operation did.
    pub(crate) messages: u64,
    /// How many were sent, however it ended.
    pub(crate) sent: u64,
    pub(crate) handed_over: bool,
}

impl MessageSpan {
    /// How many messages of a batch were sent, and how many were not, as far as is known now: where not all of them go the way of the
    /// span. Those that were sent are counted without the span's error, and what was never tried is not counted.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut span = telemetry.send_batch(Operation::new("publish", "orders").batch(9), []);
    /// span.set_messages(3, 1); // the fourth could not be sent, and the others were not tried
    /// span.end(Outcome::error("too_large", "more than 1 MiB"));
    /// let counted = capture.metrics().into_iter().filter(|metric| metric.name() == "messaging.client.sent.messages");
    /// let mut counted: Vec<_> = counted.map(|metric| (metric.value(), metric.attribute("error.type").is_some())).collect();
    /// counted.sort_by(|a, b| b.0.total_cmp(&a.0));
    /// assert_eq!(counted, [(3.0, false), (1.0, true)]);
    /// ```
    pub fn set_messages(&mut self, sent: usize, failed: usize) {
        if let Some(open) = &mut self.open {
            open.sent = u64::try_from(sent).unwrap_or(u64::MAX);
            open.messages = u64::try_from(failed).unwrap_or(u64::MAX);
        }
    }
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
                    for (messages, error) in [(self.sent, None), (self.messages, error)] {
                        // A message that is not there makes no series.
                        if messages > 0 {
                            let attributes = destination.message_attributes(self.operation, error);
                            instruments.sent_messages.add(messages, &attributes);
                        }
                    }
                }
            }
        }
    }
}
