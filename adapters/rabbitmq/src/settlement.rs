//! Settling a delivery, with a span for those who ask for one.

use crate::error;
use crate::source::{Source, tag};
use lapin::message::Delivery;
use std::future::Future;
use std::sync::Arc;
use traced_envelope::semconv::RABBITMQ_DELIVERY_TAG;
use traced_envelope::{Operation, Outcome, PreparedDestination, Telemetry};

/// What a settle span says of its message.
pub(crate) struct Settlement {
    telemetry: Telemetry,
    destination: PreparedDestination,
    tag: i64,
}

impl Source {
    pub(crate) fn settlement(self: &Arc<Self>, delivery: &Delivery) -> Settlement {
        Settlement { telemetry: self.telemetry.clone(), destination: self.destination(delivery), tag: tag(delivery) }
    }
}

impl Settlement {
    /// Runs `ack`, `nack` or `reject` of lapin. `Ok(false)` says that nothing was sent: the message was settled before, or its channel is
    /// gone and the broker will deliver it again.
    pub(crate) async fn run(
        &self,
        operation: &'static str,
        call: impl Future<Output = lapin::Result<bool>>,
    ) -> lapin::Result<bool> {
        let operation = Operation::new(operation, &self.destination).attribute(&RABBITMQ_DELIVERY_TAG, self.tag);
        let span = self.telemetry.settle(operation, []);
        span.run_with(call, |sent| match sent {
            Ok(true) => Outcome::Ok,
            Ok(false) => not_sent(),
            Err(error) => error::of_error(error),
        })
        .await
    }
}

/// The outcome of a settlement that lapin did not send.
pub(crate) fn not_sent() -> Outcome {
    Outcome::error("not_settled", "the delivery was settled before, or its channel is gone")
}
