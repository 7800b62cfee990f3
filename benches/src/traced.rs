//! The steps that `traced-rabbitmq` takes around lapin's calls, without a channel.
//!
//! They follow `TracedProducer::publish`, `TracedDestination::publish` and `TracedDelivery::process` line by line: change them together.

use crate::by_hand::handler;
use crate::{attempt, destination};
use futures_util::FutureExt;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{FieldTable, ShortString};
use std::hint::black_box;
use traced_envelope::semconv::RABBITMQ_DELIVERY_TAG;
use traced_envelope::{Operation, Outcome, PreparedDestination, Settings, Telemetry};
use traced_rabbitmq::{HeaderExtractor, HeaderInjector};

pub(crate) fn telemetry(settings: &Settings) -> Telemetry {
    Telemetry::scoped("rabbitmq", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
}

pub(crate) fn look_up(telemetry: &Telemetry, exchange: &str, routing_key: &str) -> PreparedDestination {
    telemetry.prepared("publish", &[exchange, routing_key], |_| destination::of_producer(exchange, routing_key))
}

pub(crate) fn publish(
    telemetry: &Telemetry,
    destination: &PreparedDestination,
    payload: &[u8],
    properties: BasicProperties,
) {
    let operation = Operation::new("publish", destination);
    if !telemetry.is_enabled() {
        let span = telemetry.send(operation, &mut HeaderInjector(&mut FieldTable::default()));
        black_box(properties);
        return span.end(Outcome::Ok);
    }
    let mut operation = operation
        .body_size(payload.len())
        .message_id(properties.message_id().as_ref().map(ShortString::as_str))
        .conversation_id(properties.correlation_id().as_ref().map(ShortString::as_str));
    let mut headers = match properties.headers() {
        Some(headers) => {
            operation = operation.existing(telemetry.existing(&HeaderExtractor(headers)));
            headers.clone()
        }
        None => FieldTable::default(),
    };
    let mut span = telemetry.send(operation, &mut HeaderInjector(&mut headers));
    let untouched = headers.inner().is_empty() && properties.headers().is_none();
    let properties = if untouched { properties } else { properties.with_headers(headers) };
    black_box(properties);
    span.handed_over();
    span.end(Outcome::Ok);
}

pub(crate) fn consume(telemetry: &Telemetry, queue: &str, delivery: &Delivery) {
    if !telemetry.is_enabled() {
        let none = FieldTable::default();
        let span = telemetry.process(Operation::new("process", ""), &HeaderExtractor(&none));
        black_box(span.run(handler(delivery)).now_or_never());
        return;
    }
    let (exchange, routing_key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
    let destination = telemetry
        .prepared("process", &[exchange, routing_key], |_| destination::of_consumer(exchange, routing_key, queue));
    let properties = &delivery.properties;
    let none = FieldTable::default();
    let headers = properties.headers().as_ref().unwrap_or(&none);
    let operation = Operation::new("process", &destination)
        .message_id(properties.message_id().as_ref().map(ShortString::as_str))
        .conversation_id(properties.correlation_id().as_ref().map(ShortString::as_str))
        .body_size(delivery.data.len())
        .attempt(attempt::attempt(delivery, queue))
        .redelivered(delivery.redelivered)
        .sent_at(attempt::sent_at(headers))
        .pulled(false)
        .attribute(&RABBITMQ_DELIVERY_TAG, i64::try_from(delivery.delivery_tag).unwrap_or(i64::MAX));
    let span = telemetry.process(operation, &HeaderExtractor(headers));
    black_box(span.run(handler(delivery)).now_or_never());
}
