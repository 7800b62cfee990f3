//! What is measured: scenes, in each of which the process has one set of providers, and the cases that are compared in it.

use crate::budget::{Budget, Limits};
use crate::carriers::{TableExtractor, TableInjector};
use crate::sdk::{Sdk, stock_propagator};
use crate::{by_hand, traced};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, ContextGuard, KeyValue, global};
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;
use traced_envelope::propagation::W3cPropagator;
use traced_envelope::{Settings, Telemetry};
use traced_rabbitmq::{HeaderExtractor, HeaderInjector};

const EXCHANGE: &str = "orders";
const ROUTING_KEY: &str = "order.created";
const QUEUE: &str = "inventory";
const PAYLOAD: &[u8] = b"{}";
pub(crate) const MESSAGE_ID: &str = "7d3a1c5e-90f4-4d0b-b6b6-3f1f6c7a2e10";

/// Cases that share a set of providers and a current context.
pub struct Scene {
    /// What it is about.
    pub title: &'static str,
    /// The first is the transport alone: its cost is taken off from all others.
    pub cases: Vec<Case>,
    _current: Option<ContextGuard>,
}

/// One message's way through one implementation.
pub struct Case {
    /// Whose way.
    pub name: &'static str,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// Handles one message.
    pub run: Box<dyn FnMut()>,
}

/// The case that the others are compared with.
pub const BY_HAND: &str = "by hand";

impl std::fmt::Debug for Scene {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scene").field("title", &self.title).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Scene {
    fn new(title: &'static str, current: Option<Context>, alone: impl FnMut() + 'static) -> Self {
        let alone = Case { name: "transport alone", budget: None, run: Box::new(alone) };
        Self { title, cases: vec![alone], _current: current.map(Context::attach) }
    }

    fn case(mut self, name: &'static str, run: impl FnMut() + 'static) -> Self {
        self.cases.push(Case { name, budget: None, run: Box::new(run) });
        self
    }

    fn must(mut self, must: Limits) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.budget = Some(Budget { must, aim: None });
        }
        self
    }

    fn aim(mut self, aim: Limits) -> Self {
        if let Some(budget) = self.cases.last_mut().and_then(|case| case.budget.as_mut()) {
            budget.aim = Some(aim);
        }
        self
    }
}

/// All scenes, in order. Each is to be made when the one before it is dropped: it changes the process-wide providers.
pub const SCENES: [fn() -> Scene; 18] = [
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
    inject_sampled,
    inject_unsampled,
    inject_nothing,
    extract_sampled,
    extract_unsampled,
    extract_nothing,
];

fn settings() -> Settings {
    Settings::default().metrics(false).propagator(W3cPropagator::new())
}

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
        .case(BY_HAND, move || by_hand::publish(EXCHANGE, ROUTING_KEY, properties(id)))
}

fn prepared(telemetry: Telemetry, id: Option<&'static str>) -> impl FnMut() {
    let destination = traced::look_up(&telemetry, EXCHANGE, ROUTING_KEY);
    move || traced::publish(&telemetry, &destination, PAYLOAD, properties(id))
}

fn looked_up(telemetry: Telemetry, id: Option<&'static str>) -> impl FnMut() {
    move || {
        let destination = traced::look_up(&telemetry, EXCHANGE, ROUTING_KEY);
        traced::publish(&telemetry, &destination, PAYLOAD, properties(id));
    }
}

const PRODUCER: Limits = Limits::relative(0.80, 10, Some(5_800));
const PREPARED_PRODUCER: Limits = Limits::relative(0.65, 9, Some(4_800));
const CONSUMER: Limits = Limits::relative(0.70, 7, Some(5_000));
const AIMED_CONSUMER: Limits = Limits::relative(0.55, 6, Some(3_900));

fn publish_sampled() -> Scene {
    let id = Some(MESSAGE_ID);
    let scene = publishing("publish, sampled", Sdk::Sampled, None, id);
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    let telemetry = |settings: Settings| traced::telemetry(&settings);
    scene
        .case("floor: SDK span, inject into a map", move || by_hand::floor(&tracer, &propagator))
        .case("traced, destination prepared", prepared(telemetry(settings()), id))
        .must(PRODUCER)
        .aim(PREPARED_PRODUCER)
        .case("traced, destination looked up", looked_up(telemetry(settings()), id))
        .must(PRODUCER)
        .case("traced, provider given", prepared(telemetry(given()), id))
        .case("traced, with metrics", prepared(telemetry(settings().metrics(true)), id))
        .must(Limits::allocations(10))
        .case("traced, the SDK's propagator", looked_up(telemetry(settings().propagator(stock_propagator())), id))
        .must(Limits::relative(0.90, 11, None))
        .case("traced, switched off", prepared(telemetry(settings().enabled(false)), id))
        .must(Limits::allocations(0))
}

/// With a tracer provider of its own instead of the process-wide one, whose tracers box each span twice.
fn given() -> Settings {
    settings().tracer_provider(crate::sdk::recording_provider())
}

fn publish_unsampled() -> Scene {
    let id = Some(MESSAGE_ID);
    let scene = publishing("publish, unsampled", Sdk::Unsampled, None, id);
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    let telemetry = traced::telemetry(&settings());
    scene
        .case("floor: SDK span, inject into a map", move || by_hand::floor(&tracer, &propagator))
        .case("traced", looked_up(telemetry, id))
}

fn publish_with_baggage() -> Scene {
    let telemetry = traced::telemetry(&settings());
    publishing("publish, sampled, with baggage", Sdk::Sampled, Some(with_baggage(Context::new())), Some(MESSAGE_ID))
        .case("traced", looked_up(telemetry, Some(MESSAGE_ID)))
}

fn publish_with_tracestate() -> Scene {
    let telemetry = traced::telemetry(&settings());
    let current = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, true));
    publishing("publish, sampled, with tracestate", Sdk::Sampled, Some(current), Some(MESSAGE_ID))
        .case("traced", looked_up(telemetry, Some(MESSAGE_ID)))
}

fn publish_without_sdk() -> Scene {
    let telemetry = traced::telemetry(&settings());
    publishing("publish, no SDK, nothing to carry", Sdk::Absent, None, None)
        .case("traced", prepared(telemetry, None))
        .must(Limits::absolute(60.0, 2))
}

fn publish_passing_through() -> Scene {
    let telemetry = traced::telemetry(&settings());
    publishing("publish, no SDK, context and baggage pass through", Sdk::Absent, Some(to_pass_through()), None)
        .case("traced", prepared(telemetry, None))
        .must(Limits::absolute(150.0, 4))
}

fn delivery(headers: FieldTable) -> Rc<Delivery> {
    let mut delivery = Delivery::mock(41, EXCHANGE.into(), ROUTING_KEY.into(), false, PAYLOAD.to_vec());
    delivery.properties = BasicProperties::default().with_headers(headers);
    Rc::new(delivery)
}

fn consuming(title: &'static str, sdk: Sdk, headers: FieldTable) -> (Scene, Rc<Delivery>) {
    sdk.install();
    let delivery = delivery(headers);
    let (alone, hand) = (Rc::clone(&delivery), Rc::clone(&delivery));
    let alone = move || {
        black_box(futures_util::FutureExt::now_or_never(by_hand::handler(&alone)));
    };
    let scene = Scene::new(title, None, alone).case(BY_HAND, move || by_hand::consume(QUEUE, &hand));
    (scene, delivery)
}

fn consumer(settings: &Settings, delivery: &Rc<Delivery>) -> impl FnMut() + 'static {
    let (telemetry, delivery) = (traced::telemetry(settings), Rc::clone(delivery));
    move || traced::consume(&telemetry, QUEUE, &delivery)
}

fn floor_of_consumer(context: &Context) -> impl FnMut() + 'static {
    let (tracer, propagator) = (global::tracer("floor"), stock_propagator());
    let mut headers = HashMap::new();
    propagator.inject_context(context, &mut headers);
    move || by_hand::floor_of_consumer(&tracer, &propagator, &headers, 41)
}

fn consume_sampled() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false));
    let (scene, delivery) = consuming("consume, sampled", Sdk::Sampled, headers(&creation));
    scene
        .case("floor: SDK extract from a map, SDK span", floor_of_consumer(&creation))
        .case("traced", consumer(&settings(), &delivery))
        .must(CONSUMER)
        .aim(AIMED_CONSUMER)
        .case("traced, provider given", consumer(&given(), &delivery))
        .case("traced, with metrics", consumer(&settings().metrics(true), &delivery))
        .must(Limits::allocations(7))
        .case("traced, the SDK's propagator", consumer(&settings().propagator(stock_propagator()), &delivery))
        .must(Limits::relative(0.80, 8, None))
        .case("traced, switched off", consumer(&settings().enabled(false), &delivery))
        .must(Limits::allocations(0))
}

fn consume_unsampled() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::default(), false));
    let (scene, delivery) = consuming("consume, unsampled", Sdk::Unsampled, headers(&creation));
    scene
        .case("floor: SDK extract from a map, SDK span", floor_of_consumer(&creation))
        .case("traced", consumer(&settings(), &delivery))
}

fn consume_with_baggage() -> Scene {
    let creation = with_baggage(Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false)));
    let (scene, delivery) = consuming("consume, sampled, with baggage", Sdk::Sampled, headers(&creation));
    scene.case("traced", consumer(&settings(), &delivery))
}

fn consume_with_tracestate() -> Scene {
    let creation = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, true));
    let (scene, delivery) = consuming("consume, sampled, with tracestate", Sdk::Sampled, headers(&creation));
    scene.case("traced", consumer(&settings(), &delivery))
}

fn consume_without_sdk() -> Scene {
    let (scene, delivery) = consuming("consume, no SDK, nothing to carry", Sdk::Absent, FieldTable::default());
    scene.case("traced", consumer(&settings(), &delivery)).must(Limits::absolute(60.0, 2))
}

fn consume_passing_through() -> Scene {
    let title = "consume, no SDK, context and baggage pass through";
    let (scene, delivery) = consuming(title, Sdk::Absent, headers(&to_pass_through()));
    scene.case("traced", consumer(&settings(), &delivery)).must(Limits::absolute(150.0, 4))
}

/// Headers as a producer of ours leaves them.
fn headers(context: &Context) -> FieldTable {
    let mut headers = FieldTable::default();
    W3cPropagator::new().inject_context(context, &mut HeaderInjector(&mut headers));
    headers
}

fn injecting(title: &'static str, flags: Option<TraceFlags>) -> Scene {
    let context = Context::new();
    let context = match flags {
        Some(flags) => context.with_remote_span_context(remote(flags, false)),
        None => context,
    };
    let contexts: [Context; 3] = std::array::from_fn(|_| context.clone());
    let [hand, map, ours] = contexts;
    let (stock, mapped) = (stock_propagator(), stock_propagator());
    Scene::new(title, None, || drop(black_box(FieldTable::default())))
        .case(BY_HAND, move || {
            let mut headers = FieldTable::default();
            stock.inject_context(&hand, &mut TableInjector(&mut headers));
            black_box(headers);
        })
        .case("floor: SDK inject into a map", move || {
            let mut headers = HashMap::<String, String>::new();
            mapped.inject_context(&map, &mut headers);
            black_box(headers);
        })
        .case("traced", move || {
            let mut headers = FieldTable::default();
            W3cPropagator::new().inject_context(&ours, &mut HeaderInjector(&mut headers));
            black_box(headers);
        })
}

fn inject_sampled() -> Scene {
    injecting("inject, sampled", Some(TraceFlags::SAMPLED))
}

fn inject_unsampled() -> Scene {
    injecting("inject, unsampled", Some(TraceFlags::default()))
}

fn inject_nothing() -> Scene {
    injecting("inject, no SDK", None)
}

fn extracting(title: &'static str, flags: Option<TraceFlags>) -> Scene {
    let context = flags.map(|flags| Context::new().with_remote_span_context(remote(flags, false)));
    let mut table = context.as_ref().map_or_else(FieldTable::default, headers);
    // A message has headers of the application's too.
    table.insert("tenant".into(), AMQPValue::LongString("acme".into()));
    let mut map = HashMap::from([("tenant".to_owned(), "acme".to_owned())]);
    if let Some(context) = &context {
        stock_propagator().inject_context(context, &mut map);
    }
    let (stock, mapped, hand) = (stock_propagator(), stock_propagator(), table.clone());
    let telemetry = traced::telemetry(&settings());
    Scene::new(title, None, || drop(black_box(Context::new())))
        .case(BY_HAND, move || {
            black_box(stock.extract_with_context(&Context::new(), &TableExtractor(&hand)));
        })
        .case("floor: SDK extract from a map", move || {
            black_box(mapped.extract_with_context(&Context::new(), &map));
        })
        .case("traced", move || {
            black_box(telemetry.extract(&HeaderExtractor(&table)));
        })
}

fn extract_sampled() -> Scene {
    extracting("extract, sampled", Some(TraceFlags::SAMPLED))
}

fn extract_unsampled() -> Scene {
    extracting("extract, unsampled", Some(TraceFlags::default()))
}

fn extract_nothing() -> Scene {
    extracting("extract, no context", None)
}

fn remote(flags: TraceFlags, tracestate: bool) -> SpanContext {
    let state = TraceState::from_key_value([("vendor", "7"), ("ot", "th:8")]).ok().filter(|_| tracestate);
    SpanContext::new(
        TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        SpanId::from(0x00f0_67aa_0ba9_02b7),
        flags,
        true,
        state.unwrap_or(TraceState::NONE),
    )
}

fn with_baggage(context: Context) -> Context {
    context.with_baggage([KeyValue::new("tenant.id", "acme"), KeyValue::new("user", "amélie")])
}

/// One context and one member of baggage.
fn to_pass_through() -> Context {
    let context = Context::new().with_remote_span_context(remote(TraceFlags::SAMPLED, false));
    context.with_baggage([KeyValue::new("tenant.id", "acme")])
}
