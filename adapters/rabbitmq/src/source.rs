//! Where deliveries come from: what a process span says of them besides the message itself.

use crate::attempt::{attempt, sent_at};
use crate::{HeaderExtractor, destination};
use lapin::message::Delivery;
use lapin::types::{FieldTable, ShortString};
use traced_envelope::semconv::RABBITMQ_DELIVERY_TAG;
use traced_envelope::{MessageSpan, OpenSpans, Operation, PreparedDestination, Settings, Telemetry};

/// Where deliveries come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) telemetry: Telemetry,
    pub(crate) queue: ShortString,
    pub(crate) open: OpenSpans,
    pub(crate) no_ack: bool,
    pub(crate) requeue_on_error: bool,
    /// Whether messages are asked for one by one.
    pub(crate) pulled: bool,
}

impl Source {
    pub(crate) fn of_queue(queue: ShortString, settings: &Settings) -> Self {
        Self {
            telemetry: crate::telemetry(settings),
            queue,
            open: OpenSpans::new(settings),
            no_ack: false,
            requeue_on_error: false,
            pulled: false,
        }
    }

    pub(crate) fn destination(&self, delivery: &Delivery) -> PreparedDestination {
        // The queue is no part of the key: each consumer has telemetry of its own.
        let (exchange, routing_key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
        self.telemetry.prepared("process", &[exchange, routing_key], |_| {
            destination::of_consumer(exchange, routing_key, self.queue.as_str())
        })
    }

    pub(crate) fn process(&self, delivery: &Delivery) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let destination = self.destination(delivery);
        let properties = &delivery.properties;
        let none = FieldTable::default();
        let headers = properties.headers().as_ref().unwrap_or(&none);
        let operation = Operation::new("process", &destination)
            .message_id(properties.message_id().as_ref().map(ShortString::as_str))
            .conversation_id(properties.correlation_id().as_ref().map(ShortString::as_str))
            .body_size(delivery.data.len())
            .attempt(attempt(delivery, self.queue.as_str()))
            .redelivered(delivery.redelivered)
            .sent_at(sent_at(headers))
            .pulled(self.pulled)
            .attribute(&RABBITMQ_DELIVERY_TAG, tag(delivery));
        self.telemetry.process(operation, &HeaderExtractor(headers))
    }
}

/// OpenTelemetry's integers are signed.
pub(crate) fn tag(delivery: &Delivery) -> i64 {
    i64::try_from(delivery.delivery_tag).unwrap_or(i64::MAX)
}
