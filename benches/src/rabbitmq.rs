//! RabbitMQ: lapin's types, without a channel.

mod by_hand;
mod headers;

use crate::budget::Limits;
use crate::contexts::{remote, to_pass_through, with_baggage};
use crate::scene::{
    AIMED_CONSUMER, AIMED_PRODUCER, BY_HAND, CONSUMER, NO_SDK, OTHER_CONSUMER, OTHER_PRODUCER, PASSING_THROUGH,
    PRODUCER, SPARING, Scene,
};
use crate::sdk::{Sdk, given, settings, stock_propagator};
use futures_util::FutureExt;
use headers::headers;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::FieldTable;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TraceFlags};
use opentelemetry::{Context, global};
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;
use traced_rabbitmq::bench::{Consumer, Producer};
use traced_rabbitmq::envelope::PreparedDestination;
use traced_rabbitmq::{Outcome, Settings};

const EXCHANGE: &str = "orders";
const ROUTING_KEY: &str = "order.created";
const QUEUE: &str = "inventory";
const PAYLOAD: &[u8] = b"{}";
const MESSAGE_ID: &str = "7d3a1c5e-90f4-4d0b-b6b6-3f1f6c7a2e10";

/// In order; each is to be made when the one before it is dropped.
pub(crate) const SCENES: [fn() -> Scene; 18] = [
    publish_sampled,
    publish_unsampled,
    publish_with_baggage,
    publish_with_tracestate,
    publish_without_sdk,
    publish_passing_through,
    consume_sampled,
    consume_unsampled,
    consume_with_baggage,
    consume_with_tracestate,
    consume_without_sdk,
    consume_passing_through,
    headers::inject_sampled,
    headers::inject_unsampled,
    headers::inject_nothing,
    headers::extract_sampled,
    headers::extract_unsampled,
    headers::extract_nothing,
];

fn properties(id: Option<&str>) -> BasicProperties {
    let properties = BasicProperties::default();
    match id {
        Some(id) => properties.with_message_id(id.into()),
        None => properties,
    }
}

fn publishing(title: &'static str, sdk: Sdk, current: Option<Context>, id: Option<&'static str>) -> Scene {
    sdk.install();
    Scene::new(title, current, move || drop(black_box(properties(id))))
        .case(BY_HAND, move || by_hand::publish(EXCHANGE, ROUTING_KEY, properties(id), by_hand::formatted))
        .case(SPARING, move || by_hand::publish(EXCHANGE, ROUTING_KEY, properties(id), by_hand::joined))
}

fn prepared(settings: Settings, id: Option<&'static str>) -> impl FnMut() {
    let producer = Producer::new(&settings);
    let destination = producer.destination(EXCHANGE, ROUTING_KEY);
    move || publish(&producer, &destination, id)
}

fn looked_up(settings: Settings, id: Option<&'static str>) -> impl FnMut() {
    let producer = Producer::new(&settings);
    move || publish(&producer, &producer.destination(EXCHANGE, ROUTING_KEY), id)
}

fn publish(producer: &Producer, destination: &PreparedDestination, id: Option<&str>) {
    let (mut span, properties) = producer.send(destination, PAYLOAD, properties(id));
    black_box(properties);
    span.handed_over();
    span.end(Outcome::Ok);
}

fn publish_sampled() -> Scene {
    let id = Some(MESSAGE_ID);
    let scene = publishing("RabbitMQ: publish, sampled", Sdk::Sampled, None, id);
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    scene
        .case("floor: SDK span, inject into a map", move || by_hand::floor(&tracer, &propagator))
        .case("traced, destination prepared", prepared(settings(), id))
        .must(PRODUCER)
        .aim(AIMED_PRODUCER)
        .case("traced, destination looked up", looked_up(settings(), id))
        .must(PRODUCER)
        .case("traced, provider given", prepared(given(), id))
        .case("traced, with metrics", prepared(settings().metrics(true), id))
        .must(Limits::allocations(10))
        .case("traced, the SDK's propagator", looked_up(settings().propagator(stock_propagator()), id))
        .must(OTHER_PRODUCER)
        .case("traced, switched off", prepared(settings().enabled(false), id))
        .must(Limits::allocations(0))
}

fn publish_unsampled() -> Scene {
    let id = Some(MESSAGE_ID);
    let scene = publishing("RabbitMQ: publish, unsampled", Sdk::Unsampled, None, id);
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    scene
        .case("floor: SDK span, inject into a map", move || by_hand::floor(&tracer, &propagator))
        .case("traced", looked_up(settings(), id))
}

fn publish_with_baggage() -> Scene {
    publishing(
        "RabbitMQ: publish, sampled, with baggage",
        Sdk::Sampled,
        Some(with_baggage(Context::new())),
        Some(MESSAGE_ID),
    )
    .case("traced", looked_up(settings(), Some(MESSAGE_ID)))
}

fn publish_with_tracestate() -> Scene {
    let current = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, true));
    publishing("RabbitMQ: publish, sampled, with tracestate", Sdk::Sampled, Some(current), Some(MESSAGE_ID))
        .case("traced", looked_up(settings(), Some(MESSAGE_ID)))
}

fn publish_without_sdk() -> Scene {
    publishing("RabbitMQ: publish, no SDK, nothing to carry", Sdk::Absent, None, None)
        .case("traced", prepared(settings(), None))
        .must(NO_SDK)
}

fn publish_passing_through() -> Scene {
    publishing(
        "RabbitMQ: publish, no SDK, context and baggage pass through",
        Sdk::Absent,
        Some(to_pass_through()),
        None,
    )
    .case("traced", prepared(settings(), None))
    .must(PASSING_THROUGH)
}

fn delivery(headers: FieldTable) -> Rc<Delivery> {
    let mut delivery = Delivery::mock(41, EXCHANGE.into(), ROUTING_KEY.into(), false, PAYLOAD.to_vec());
    delivery.properties = BasicProperties::default().with_headers(headers);
    Rc::new(delivery)
}

fn consuming(title: &'static str, sdk: Sdk, headers: FieldTable) -> (Scene, Rc<Delivery>) {
    sdk.install();
    let delivery = delivery(headers);
    let [alone, hand, sparing] = std::array::from_fn(|_| Rc::clone(&delivery));
    let alone = move || {
        black_box(by_hand::handler(&alone).now_or_never());
    };
    let scene = Scene::new(title, None, alone)
        .case(BY_HAND, move || by_hand::consume(QUEUE, &hand, by_hand::formatted))
        .case(SPARING, move || by_hand::consume(QUEUE, &sparing, by_hand::joined));
    (scene, delivery)
}

fn consumer(settings: &Settings, delivery: &Rc<Delivery>) -> impl FnMut() + 'static {
    let (consumer, delivery) = (Consumer::new(QUEUE.into(), settings), Rc::clone(delivery));
    move || {
        black_box(consumer.process(&delivery).run(by_hand::handler(&delivery)).now_or_never());
    }
}

fn floor_of_consumer(context: &Context) -> impl FnMut() + 'static {
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    let mut headers = HashMap::new();
    propagator.inject_context(context, &mut headers);
    move || by_hand::floor_of_consumer(&tracer, &propagator, &headers, 41)
}

fn consume_sampled() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false));
    let (scene, delivery) = consuming("RabbitMQ: consume, sampled", Sdk::Sampled, headers(&creation));
    scene
        .case("floor: SDK extract from a map, SDK span", floor_of_consumer(&creation))
        .case("traced", consumer(&settings(), &delivery))
        .must(CONSUMER)
        .aim(AIMED_CONSUMER)
        .case("traced, provider given", consumer(&given(), &delivery))
        .case("traced, with metrics", consumer(&settings().metrics(true), &delivery))
        .must(Limits::allocations(7))
        .case("traced, the SDK's propagator", consumer(&settings().propagator(stock_propagator()), &delivery))
        .must(OTHER_CONSUMER)
        .case("traced, switched off", consumer(&settings().enabled(false), &delivery))
        .must(Limits::allocations(0))
}

fn consume_unsampled() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::default(), false));
    let (scene, delivery) = consuming("RabbitMQ: consume, unsampled", Sdk::Unsampled, headers(&creation));
    scene
        .case("floor: SDK extract from a map, SDK span", floor_of_consumer(&creation))
        .case("traced", consumer(&settings(), &delivery))
}

fn consume_with_baggage() -> Scene {
    let creation = with_baggage(Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false)));
    let (scene, delivery) = consuming("RabbitMQ: consume, sampled, with baggage", Sdk::Sampled, headers(&creation));
    scene.case("traced", consumer(&settings(), &delivery))
}

fn consume_with_tracestate() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, true));
    let (scene, delivery) = consuming("RabbitMQ: consume, sampled, with tracestate", Sdk::Sampled, headers(&creation));
    scene.case("traced", consumer(&settings(), &delivery))
}

fn consume_without_sdk() -> Scene {
    let (scene, delivery) =
        consuming("RabbitMQ: consume, no SDK, nothing to carry", Sdk::Absent, FieldTable::default());
    scene.case("traced", consumer(&settings(), &delivery)).must(NO_SDK)
}

fn consume_passing_through() -> Scene {
    let title = "RabbitMQ: consume, no SDK, context and baggage pass through";
    let (scene, delivery) = consuming(title, Sdk::Absent, headers(&to_pass_through()));
    scene.case("traced", consumer(&settings(), &delivery)).must(PASSING_THROUGH)
}
