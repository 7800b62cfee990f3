//! Redis: the commands of redis, without a connection. Both what a publisher writes by hand and ours build the whole command: what is left
//! when the bare command is taken off includes one more copy of the payload, into its envelope.

mod by_hand;
mod streams;

use crate::budget::Limits;
use crate::contexts::{remote, to_pass_through};
use crate::scene::{BY_HAND, Scene};
use crate::sdk::{Sdk, given, settings, stock_propagator};
use futures_util::FutureExt;
use opentelemetry::trace::{TraceContextExt, TraceFlags};
use opentelemetry::{Context, global};
use redis::{Cmd, Msg, PushInfo, PushKind, Value};
use std::hint::black_box;
use traced_envelope::propagation::W3cPropagator;
use traced_envelope::{Envelope, MessageHeaders};
use traced_redis::bench::{Consumer, Producer};
use traced_redis::{Form, Outcome, Settings};

const CHANNEL: &str = "orders";
const PAYLOAD: &[u8] = &[b'x'; 100];

/// What is published as JSON.
#[derive(serde::Serialize)]
struct Order {
    id: u64,
    item: &'static str,
    price: f64,
}

const ORDER: Order = Order { id: 42, item: "blue teapot", price: 19.5 };

/// In order; each is to be made when the one before it is dropped.
pub(crate) const SCENES: [fn() -> Scene; 12] = [
    publish_sampled,
    publish_json,
    publish_without_sdk,
    publish_passing_through,
    process_sampled,
    process_json,
    process_bare,
    process_without_sdk,
    streams::xadd_sampled,
    streams::xadd_without_sdk,
    streams::process_sampled,
    streams::process_without_sdk,
];

fn publishing(title: &'static str, sdk: Sdk, current: Option<Context>) -> Scene {
    sdk.install();
    Scene::new(title, current, || drop(black_box(Cmd::publish(CHANNEL, PAYLOAD))))
        .case(BY_HAND, || by_hand::publish(CHANNEL, PAYLOAD))
}

fn prepared(settings: Settings) -> impl FnMut() {
    let producer = Producer::new(Form::Binary, &settings);
    let destination = producer.destination(CHANNEL);
    move || handed_over(producer.publish_to(&destination, CHANNEL, PAYLOAD))
}

fn looked_up(settings: Settings) -> impl FnMut() {
    let producer = Producer::new(Form::Binary, &settings);
    move || handed_over(producer.publish(CHANNEL, PAYLOAD))
}

fn handed_over(sent: redis::RedisResult<(traced_envelope::MessageSpan, Cmd)>) {
    if let Ok((span, command)) = sent {
        black_box(command);
        span.end(Outcome::Ok);
    }
}

fn publish_sampled() -> Scene {
    let scene = publishing("Redis: publish, sampled", Sdk::Sampled, None);
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    scene
        .case("floor: SDK span, inject into a map", move || by_hand::floor(&tracer, &propagator))
        .case("traced, destination prepared", prepared(settings()))
        .must(Limits::allocations(6))
        .case("traced, destination looked up", looked_up(settings()))
        .must(Limits::allocations(6))
        .case("traced, provider given", prepared(given()))
        .case("traced, with metrics", prepared(settings().metrics(true)))
        .must(Limits::allocations(6))
        .case("traced, the SDK's propagator", looked_up(settings().propagator(stock_propagator())))
        .case("traced, switched off", prepared(settings().enabled(false)))
        .must(Limits::allocations(0))
}

fn publish_json() -> Scene {
    Sdk::Sampled.install();
    let producer = Producer::new(Form::Binary, &settings());
    let alone = || {
        let text = serde_json::to_vec(&ORDER).unwrap_or_default();
        drop(black_box(Cmd::publish(CHANNEL, text)));
    };
    Scene::new("Redis: publish JSON, sampled", None, alone)
        .case(BY_HAND, || by_hand::publish_json(CHANNEL, &ORDER))
        .case("traced", move || handed_over(producer.publish_json(CHANNEL, &ORDER)))
        // The payload's text comes before the span, in two.
        .must(Limits::allocations(7))
}

fn publish_without_sdk() -> Scene {
    publishing("Redis: publish, no SDK, nothing to carry", Sdk::Absent, None)
        .case("traced", prepared(settings()))
        .must(Limits::allocations(0))
}

fn publish_passing_through() -> Scene {
    let title = "Redis: publish, no SDK, context and baggage pass through";
    publishing(title, Sdk::Absent, Some(to_pass_through()))
        .case("traced", prepared(settings()))
        .must(Limits::allocations(5))
}

/// The W3C headers of a context.
fn headers(context: &Context) -> MessageHeaders {
    use opentelemetry::propagation::TextMapPropagator;
    let mut headers = MessageHeaders::new();
    W3cPropagator::new().inject_context(context, &mut headers);
    headers
}

fn sampled() -> Context {
    Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false))
}

fn message(payload: &[u8]) -> Option<Msg> {
    let text = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
    Msg::from_push_info(PushInfo { kind: PushKind::Message, data: vec![text(CHANNEL.as_bytes()), text(payload)] })
}

/// A message is used up by its handler: each case gets a copy, as the transport alone does.
fn processing(
    title: &'static str,
    sdk: Sdk,
    ours: &[u8],
    theirs: &[u8],
) -> (Scene, impl Fn(Settings) -> Box<dyn FnMut()>) {
    sdk.install();
    let (message, alone, hand) = (message(ours), message(ours), message(theirs));
    let scene = Scene::new(title, None, move || drop(black_box(alone.clone())))
        .case(BY_HAND, move || hand.clone().into_iter().for_each(|message| by_hand::process(&message)));
    let traced = move |settings: Settings| {
        let (consumer, message) = (Consumer::new(&settings), message.clone());
        Box::new(move || {
            if let Some(message) = message.clone() {
                let (span, message) = consumer.process(message);
                black_box(span.run(by_hand::handler(message.payload())).now_or_never());
            }
        }) as Box<dyn FnMut()>
    };
    (scene, traced)
}

fn process_sampled() -> Scene {
    let ours = Form::Binary.encode(&headers(&sampled()), PAYLOAD).into_owned();
    let theirs = by_hand::framed(&sampled(), PAYLOAD);
    let (scene, traced) = processing("Redis: process, sampled", Sdk::Sampled, &ours, &theirs);
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    scene
        .case("floor: SDK extract from a map, SDK span", by_hand::floor_of_consumer(tracer, propagator, &sampled()))
        .case("traced", traced(settings()))
        .must(Limits::allocations(7))
        .case("traced, provider given", traced(given()))
        .case("traced, with metrics", traced(settings().metrics(true)))
        .must(Limits::allocations(7))
        .case("traced, the SDK's propagator", traced(settings().propagator(stock_propagator())))
        .case("traced, switched off", traced(settings().enabled(false)))
        .must(Limits::allocations(0))
}

fn process_json() -> Scene {
    let ours = Envelope::encode_json(&headers(&sampled()), &ORDER).unwrap_or_default();
    let theirs = by_hand::enveloped(&sampled(), &ORDER);
    let (scene, traced) = processing("Redis: process JSON, sampled", Sdk::Sampled, &ours, &theirs);
    scene.case("traced", traced(settings())).must(Limits::allocations(8))
}

fn process_bare() -> Scene {
    let (scene, traced) = processing("Redis: process, sampled, no envelope", Sdk::Sampled, PAYLOAD, PAYLOAD);
    scene.case("traced", traced(settings())).must(Limits::allocations(4))
}

fn process_without_sdk() -> Scene {
    let (scene, traced) = processing("Redis: process, no SDK, nothing to carry", Sdk::Absent, PAYLOAD, PAYLOAD);
    scene.case("traced", traced(settings())).must(Limits::allocations(1))
}
