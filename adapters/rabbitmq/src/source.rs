//! Where deliveries come from: what a process span says of them besides the message itself.

use crate::attempt::{attempt, sent_at};
use crate::recovery::LastStarted;
use crate::{HeaderExtractor, destination, header_text};
use lapin::message::Delivery;
use lapin::types::{FieldTable, ShortString};
use traced_envelope::semconv::RABBITMQ_DELIVERY_TAG;
use traced_envelope::{
    Destination, MessageSpan, OpenSpans, Operation, PreparedDestination, Settings, Telemetry, is_anonymous,
};

/// Where deliveries come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) telemetry: Telemetry,
    pub(crate) queue: ShortString,
    pub(crate) open: OpenSpans,
    pub(crate) last_started: LastStarted,
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
            last_started: LastStarted::default(),
            no_ack: false,
            requeue_on_error: false,
            pulled: false,
        }
    }

    pub(crate) fn destination(&self, delivery: &Delivery) -> PreparedDestination {
        let (exchange, routing_key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
        let queue = self.queue.as_str();
        let describe = |_: &[&str]| destination::of_consumer(exchange, routing_key, queue);
        // Each consumer has telemetry of its own and one queue, so that the queue is no part of the key. A pull names it each time.
        if self.pulled {
            self.telemetry.prepared("process", &[exchange, routing_key, queue], describe)
        } else {
            self.telemetry.prepared("process", &[exchange, routing_key], describe)
        }
    }

    /// Where messages come from that have the queue in common, and not their exchange and routing key.
    pub(crate) fn queue_alone(&self) -> PreparedDestination {
        let queue = self.queue.as_str();
        let describe = |_: &[&str]| Destination::new(queue).anonymous(is_anonymous(queue));
        self.telemetry.prepared("process", &[queue], describe)
    }

    pub(crate) fn process(&self, delivery: &Delivery) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let destination = self.destination(delivery);
        let properties = &delivery.properties;
        let none = FieldTable::default();
        let headers = properties.headers().as_ref().unwrap_or(&none);
        // Worked out first: an operation that is put together without a call in between is never copied.
        let (attempt, sent_at) = (attempt(delivery, self.queue.as_str()), sent_at(headers));
        let operation = of_delivery("process", &destination, delivery)
            .attempt(attempt)
            .redelivered(delivery.redelivered)
            .sent_at(sent_at)
            .pulled(self.pulled);
        let span = self.telemetry.process(operation, &HeaderExtractor(headers));
        if self.telemetry.captures_headers() {
            header_text::capture(&self.telemetry, headers, &span);
        }
        span
    }
}

/// An operation on this one delivery.
#[inline(always)]
pub(crate) fn of_delivery<'a>(
    name: &'static str,
    destination: &'a PreparedDestination,
    delivery: &'a Delivery,
) -> Operation<'a> {
    let properties = &delivery.properties;
    Operation::new(name, destination)
        .message_id(properties.message_id().as_ref().map(ShortString::as_str))
        .conversation_id(properties.correlation_id().as_ref().map(ShortString::as_str))
        .body_size(delivery.data.len())
        .attribute(&RABBITMQ_DELIVERY_TAG, tag(delivery))
}

/// OpenTelemetry's integers are signed.
pub(crate) fn tag(delivery: &Delivery) -> i64 {
    i64::try_from(delivery.delivery_tag).unwrap_or(i64::MAX)
}
