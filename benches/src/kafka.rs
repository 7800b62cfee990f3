//! Kafka: rdkafka's types, without a client. librdkafka holds a record's headers: its allocations are C's, and not counted.

mod by_hand;

use crate::budget::Limits;
use crate::contexts::{remote, to_pass_through, with_baggage};
use crate::scene::{
    AIMED_CONSUMER, AIMED_PRODUCER, BY_HAND, CONSUMER, NO_SDK, OTHER_CONSUMER, OTHER_PRODUCER, PASSING_THROUGH,
    PRODUCER, Scene,
};
use crate::sdk::{Sdk, given, settings, stock_propagator};
use futures_util::FutureExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TraceFlags};
use opentelemetry::{Context, global};
use rdkafka::message::{OwnedHeaders, OwnedMessage, Timestamp};
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;
use traced_envelope::propagation::W3cPropagator;
use traced_kafka::bench::{Consumer, Producer};
use traced_kafka::envelope::PreparedDestination;
use traced_kafka::{HeaderInjector, Settings};

const TOPIC: &str = "orders";
const KEY: &str = "42";
const PAYLOAD: &str = "{}";
const PARTITION: i32 = 3;
const OFFSET: i64 = 41;

/// In order; each is to be made when the one before it is dropped.
pub(crate) const SCENES: [fn() -> Scene; 10] = [
    send_sampled,
    send_unsampled,
    send_with_baggage,
    send_without_sdk,
    send_passing_through,
    process_sampled,
    process_unsampled,
    process_with_baggage,
    process_without_sdk,
    process_passing_through,
];

fn sending(title: &'static str, sdk: Sdk, current: Option<Context>) -> Scene {
    sdk.install();
    Scene::new(title, current, || drop(black_box(None::<OwnedHeaders>)))
        .case(BY_HAND, || by_hand::send(TOPIC, None, PARTITION, OFFSET))
}

fn prepared(settings: Settings) -> impl FnMut() {
    let producer = Producer::new(&settings);
    let destination = producer.destination(TOPIC);
    move || send(&producer, &destination)
}

fn looked_up(settings: Settings) -> impl FnMut() {
    let producer = Producer::new(&settings);
    move || send(&producer, &producer.destination(TOPIC))
}

fn send(producer: &Producer, destination: &PreparedDestination) {
    let mut headers = None;
    let sent = producer.send(destination, KEY, PAYLOAD, &mut headers);
    black_box(headers);
    sent.reported(PARTITION, OFFSET);
}

fn floor() -> impl FnMut() {
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    move || by_hand::floor(&tracer, &propagator, OFFSET)
}

fn send_sampled() -> Scene {
    sending("Kafka: send, sampled", Sdk::Sampled, None)
        .case("floor: SDK span, inject into a map", floor())
        .case("traced, destination prepared", prepared(settings()))
        .must(PRODUCER)
        .aim(AIMED_PRODUCER)
        .case("traced, destination looked up", looked_up(settings()))
        .must(PRODUCER)
        .case("traced, provider given", prepared(given()))
        .case("traced, with metrics", prepared(settings().metrics(true)))
        .must(Limits::allocations(10))
        .case("traced, the SDK's propagator", looked_up(settings().propagator(stock_propagator())))
        .must(OTHER_PRODUCER)
        .case("traced, switched off", prepared(settings().enabled(false)))
        .must(Limits::allocations(0))
}

fn send_unsampled() -> Scene {
    sending("Kafka: send, unsampled", Sdk::Unsampled, None)
        .case("floor: SDK span, inject into a map", floor())
        .case("traced", looked_up(settings()))
}

fn send_with_baggage() -> Scene {
    sending("Kafka: send, sampled, with baggage", Sdk::Sampled, Some(with_baggage(Context::new())))
        .case("traced", looked_up(settings()))
}

fn send_without_sdk() -> Scene {
    sending("Kafka: send, no SDK, nothing to carry", Sdk::Absent, None)
        .case("traced", prepared(settings()))
        .must(NO_SDK)
}

fn send_passing_through() -> Scene {
    let title = "Kafka: send, no SDK, context and baggage pass through";
    sending(title, Sdk::Absent, Some(to_pass_through())).case("traced", prepared(settings())).must(PASSING_THROUGH)
}

fn processing(title: &'static str, sdk: Sdk, carried: Option<&Context>) -> (Scene, Rc<OwnedMessage>) {
    sdk.install();
    let headers = carried.map(headers);
    let (key, payload) = (Some(KEY.into()), Some(PAYLOAD.into()));
    let sent = Timestamp::CreateTime(1_700_000_000_000);
    let message = Rc::new(OwnedMessage::new(payload, key, TOPIC.to_owned(), sent, PARTITION, OFFSET, headers));
    let (alone, hand) = (Rc::clone(&message), Rc::clone(&message));
    let alone = move || {
        black_box(by_hand::handler(&alone).now_or_never());
    };
    (Scene::new(title, None, alone).case(BY_HAND, move || by_hand::process(&hand)), message)
}

/// Headers as a producer of ours leaves them.
fn headers(context: &Context) -> OwnedHeaders {
    let mut headers = None;
    W3cPropagator::new().inject_context(context, &mut HeaderInjector(&mut headers));
    headers.unwrap_or_default()
}

fn consumer(settings: &Settings, message: &Rc<OwnedMessage>) -> impl FnMut() + 'static {
    let (consumer, message) = (Consumer::new(settings), Rc::clone(message));
    move || {
        black_box(consumer.process(&*message).run(by_hand::handler(&message)).now_or_never());
    }
}

fn floor_of_consumer(context: &Context, message: &Rc<OwnedMessage>) -> impl FnMut() + 'static {
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    let mut headers = HashMap::new();
    propagator.inject_context(context, &mut headers);
    let message = Rc::clone(message);
    move || by_hand::floor_of_consumer(&tracer, &propagator, &headers, &message)
}

fn process_sampled() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false));
    let (scene, message) = processing("Kafka: process, sampled", Sdk::Sampled, Some(&creation));
    scene
        .case("floor: SDK extract from a map, SDK span", floor_of_consumer(&creation, &message))
        .case("traced", consumer(&settings(), &message))
        .must(CONSUMER)
        .aim(AIMED_CONSUMER)
        .case("traced, provider given", consumer(&given(), &message))
        .case("traced, with metrics", consumer(&settings().metrics(true), &message))
        .must(Limits::allocations(7))
        .case("traced, the SDK's propagator", consumer(&settings().propagator(stock_propagator()), &message))
        .must(OTHER_CONSUMER)
        .case("traced, switched off", consumer(&settings().enabled(false), &message))
        .must(Limits::allocations(0))
}

fn process_unsampled() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::default(), false));
    let (scene, message) = processing("Kafka: process, unsampled", Sdk::Unsampled, Some(&creation));
    scene
        .case("floor: SDK extract from a map, SDK span", floor_of_consumer(&creation, &message))
        .case("traced", consumer(&settings(), &message))
}

fn process_with_baggage() -> Scene {
    let creation = with_baggage(Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false)));
    let (scene, message) = processing("Kafka: process, sampled, with baggage", Sdk::Sampled, Some(&creation));
    scene.case("traced", consumer(&settings(), &message))
}

fn process_without_sdk() -> Scene {
    let (scene, message) = processing("Kafka: process, no SDK, nothing to carry", Sdk::Absent, None);
    scene.case("traced", consumer(&settings(), &message)).must(NO_SDK)
}

fn process_passing_through() -> Scene {
    let title = "Kafka: process, no SDK, context and baggage pass through";
    let (scene, message) = processing(title, Sdk::Absent, Some(&to_pass_through()));
    scene.case("traced", consumer(&settings(), &message)).must(PASSING_THROUGH)
}
