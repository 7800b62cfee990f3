//! `platform demo`: all services, three orders, and a picture of their traces.
//!
//! What the picture shows came by OTLP, from seven processes; what is sent on to another collector: `forward.rs`; how the traces are
//! drawn: `picture.rs`; how brokers and services are started: the package's `src/runner`.

mod picture;
mod progress;

use std::time::Duration;

use anyhow::bail;
use examples::runner::Customer;
use progress::Progress;
use tokio::{select, time::timeout};
use traced_envelope::testing::Forest;
use traced_rabbitmq::opentelemetry::TraceId;

use crate::{arguments::Demo, scene::Scene};

/// What is ordered, and the spans with which an order has come to its ends.
const ORDERS: [(&str, &[&str]); 3] = [
    ("coffee", &["notify customer", "count orders"]),
    ("tea", &["notify customer", "count orders"]),
    ("saffron", &["refund customer", "count orders"]),
];
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: &Demo) -> anyhow::Result<()> {
    let mut scene = Scene::open("demo").await?;
    let ordered = select! {
        traded = trade(&scene) => traded?,
        ended = scene.platform.ended() => return Err(ended),
    };
    // Then all spans are here.
    scene.close().await?;
    // On brokers that others use, too, there may be orders of theirs.
    let forest = scene.forest();
    let spans = forest.spans().iter().filter(|span| ordered.contains(&span.trace_id()));
    picture::show(&Forest::new(spans.cloned()), arguments.svg.as_deref())
}

/// Orders one by one, each when the one before has come to its ends; returns their traces.
async fn trade(scene: &Scene) -> anyhow::Result<Vec<TraceId>> {
    let customer = Customer::new()?;
    let gateway = scene.platform.url("gateway")?;
    let mut ordered = Vec::new();
    for (item, ends) in ORDERS {
        println!("demo: POST /orders, {item}");
        let order = customer.order(gateway, item, &[("x-tenant", "blue")]).await?;
        ordered.push(order.trace_id);
        let mut progress = Progress::of(order.trace_id, ends);
        let Ok(()) = timeout(LIMIT, progress.follow(&scene.collector)).await else {
            bail!(
                "the order of {item} was not done within {} s; its spans so far:\n{}",
                LIMIT.as_secs(),
                progress.so_far(&scene.collector)
            );
        };
    }
    Ok(ordered)
}
