//! Settling a delivery, with a span for those who ask for one.

use crate::error;
use crate::handing_over::handing_over;
use crate::source::{Source, tag};
use lapin::message::Delivery;
use std::future::Future;
use std::pin::pin;
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
        let mut span = self.telemetry.settle(operation, []);
        let sent = handing_over(pin!(call), || span.handed_over()).await;
        span.end(of_sent(&sent, Outcome::Ok));
        sent
    }
}

/// How a settlement ended: with `outcome` if lapin has sent it.
pub(crate) fn of_sent(sent: &lapin::Result<bool>, outcome: Outcome) -> Outcome {
    match sent {
        Ok(true) => outcome,
        Ok(false) => not_sent(),
        Err(error) => error::of_error(error),
    }
}

/// The outcome of a settlement that lapin did not send.
pub(crate) fn not_sent() -> Outcome {
    Outcome::error("not_settled", "the delivery was settled before, or its channel is gone")
}
