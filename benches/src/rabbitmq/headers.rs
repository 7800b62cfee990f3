//! The header table alone: injecting and extracting.

use super::by_hand::{TableExtractor, TableInjector};
use crate::contexts::remote;
use crate::scene::{BY_HAND, Scene};
use crate::sdk::{settings, stock_propagator};
use lapin::types::{AMQPValue, FieldTable};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TraceFlags};
use std::collections::HashMap;
use std::hint::black_box;
use traced_envelope::Telemetry;
use traced_envelope::propagation::W3cPropagator;
use traced_rabbitmq::{HeaderExtractor, HeaderInjector};

/// Headers as a producer of ours leaves them.
pub(super) fn headers(context: &Context) -> FieldTable {
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

pub(super) fn inject_sampled() -> Scene {
    injecting("RabbitMQ: inject, sampled", Some(TraceFlags::SAMPLED))
}

pub(super) fn inject_unsampled() -> Scene {
    injecting("RabbitMQ: inject, unsampled", Some(TraceFlags::default()))
}

pub(super) fn inject_nothing() -> Scene {
    injecting("RabbitMQ: inject, no SDK", None)
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
    let telemetry = Telemetry::new("rabbitmq", &settings());
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

pub(super) fn extract_sampled() -> Scene {
    extracting("RabbitMQ: extract, sampled", Some(TraceFlags::SAMPLED))
}

pub(super) fn extract_unsampled() -> Scene {
    extracting("RabbitMQ: extract, unsampled", Some(TraceFlags::default()))
}

pub(super) fn extract_nothing() -> Scene {
    extracting("RabbitMQ: extract, no context", None)
}
