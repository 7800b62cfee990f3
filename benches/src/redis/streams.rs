//! Redis' streams: entries with fields.

use super::{by_hand, headers, sampled};
use crate::budget::Limits;
use crate::scene::{BY_HAND, Scene};
use crate::sdk::{Sdk, given, settings};
use futures_util::FutureExt;
use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{Span, TraceContextExt};
use redis::streams::StreamId;
use redis::{Cmd, Value};
use std::hint::black_box;
use std::rc::Rc;
use traced_redis::bench::{Consumer, Producer, xadd_answered};
use traced_redis::{Entry, Form, Settings};

const STREAM: &str = "orders";
const GROUP: &str = "inventory";
const ID: &str = "1700000000000-0";
const FIELDS: [(&str, &str); 3] = [("id", "42"), ("item", "blue teapot"), ("price", "19.5")];

fn adding(title: &'static str, sdk: Sdk) -> Scene {
    sdk.install();
    Scene::new(title, None, || drop(black_box((Cmd::xadd(STREAM, "*", &FIELDS), Some(ID.to_owned())))))
        .case(BY_HAND, add_by_hand)
}

fn add_by_hand() {
    let mut span = by_hand::send_span("xadd", STREAM, 30);
    let id = ID.to_owned();
    span.set_attribute(KeyValue::new("messaging.message.id", id.clone()));
    let context = opentelemetry::Context::current_with_span(span);
    let headers = by_hand::injected(&context);
    let mut fields: Vec<(&str, &str)> = FIELDS.to_vec();
    fields.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    black_box((Cmd::xadd(STREAM, "*", &fields), Some(id)));
    context.span().end();
}

fn traced(settings: &Settings) -> impl FnMut() + 'static {
    let producer = Producer::new(Form::Binary, settings);
    move || {
        let (span, command) = producer.xadd(STREAM, &FIELDS);
        black_box(command);
        let answer = Ok(Some(ID.to_owned()));
        xadd_answered(span, &answer);
        black_box(&answer);
    }
}

pub(super) fn xadd_sampled() -> Scene {
    adding("Redis: xadd, sampled", Sdk::Sampled)
        .case("traced", traced(&settings()))
        .must(Limits::allocations(7))
        .case("traced, provider given", traced(&given()))
        .case("traced, with metrics", traced(&settings().metrics(true)))
        .must(Limits::allocations(7))
        .case("traced, switched off", traced(&settings().enabled(false)))
        .must(Limits::allocations(0))
}

pub(super) fn xadd_without_sdk() -> Scene {
    adding("Redis: xadd, no SDK, nothing to carry", Sdk::Absent)
        .case("traced", traced(&settings()))
        .must(Limits::allocations(1))
}

struct Fields<'a>(&'a StreamId);

impl Extractor for Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match self.0.map.get(name)? {
            Value::BulkString(value) => std::str::from_utf8(value).ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.map.keys().map(String::as_str).collect()
    }
}

fn processing(title: &'static str, sdk: Sdk, carried: bool) -> (Scene, Rc<Entry>) {
    sdk.install();
    let mut native = StreamId { id: ID.to_owned(), ..StreamId::default() };
    let carried = carried.then(|| headers(&sampled()));
    let context =
        carried.iter().flat_map(|headers| headers.iter()).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let fields = FIELDS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    native.map.extend(fields.into_iter().chain(context).map(|(name, value)| (name, Value::BulkString(value.into()))));
    let entry = Rc::new(Entry::new(STREAM, native.clone()).of_group(GROUP));
    let alone = Rc::clone(&entry);
    let alone = move || {
        black_box(by_hand::handler(alone.id().as_bytes()).now_or_never());
    };
    (Scene::new(title, None, alone).case(BY_HAND, move || process_by_hand(&native)), entry)
}

fn process_by_hand(entry: &StreamId) {
    let attributes = vec![
        KeyValue::new("messaging.system", "redis"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", STREAM.to_owned()),
        KeyValue::new("messaging.consumer.group.name", GROUP.to_owned()),
        KeyValue::new("messaging.message.id", entry.id.clone()),
        KeyValue::new("messaging.message.body.size", 30),
    ];
    by_hand::run(&Fields(entry), ["process ", STREAM].concat(), attributes, entry.id.as_bytes());
}

fn consumer(settings: &Settings, entry: &Rc<Entry>) -> impl FnMut() + 'static {
    let (consumer, entry) = (Consumer::new(settings), Rc::clone(entry));
    move || {
        black_box(consumer.process_entry(&entry).run(by_hand::handler(entry.id().as_bytes())).now_or_never());
    }
}

pub(super) fn process_sampled() -> Scene {
    let (scene, entry) = processing("Redis: process an entry, sampled", Sdk::Sampled, true);
    scene
        .case("traced", consumer(&settings(), &entry))
        .must(Limits::allocations(8))
        .case("traced, provider given", consumer(&given(), &entry))
        .case("traced, with metrics", consumer(&settings().metrics(true), &entry))
        .must(Limits::allocations(8))
        .case("traced, switched off", consumer(&settings().enabled(false), &entry))
        .must(Limits::allocations(0))
}

pub(super) fn process_without_sdk() -> Scene {
    let (scene, entry) = processing("Redis: process an entry, no SDK, nothing to carry", Sdk::Absent, false);
    scene.case("traced", consumer(&settings(), &entry)).must(Limits::allocations(1))
}
