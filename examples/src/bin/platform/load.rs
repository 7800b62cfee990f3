//! `platform load`: many orders at once, and what that says of each hop.
//!
//! How they are sent: `load/orders.rs`; what is worked out from their spans: `load/hops.rs`; how it is shown: `load/summary.rs`.

mod hops;
mod latencies;
mod orders;
mod summary;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use examples::runner::Customer;
use hops::Hops;
use indicatif::{ProgressBar, ProgressStyle};
use orders::Sent;
use serde_json::Value;
use summary::{Missing, Summary};
use tokio::{select, time::sleep};
use traced_rabbitmq::opentelemetry::TraceId;

use crate::{arguments::Load, scene::Scene};

/// Orders are given up when none was done for so long.
const STANDSTILL: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

pub(crate) async fn run(arguments: &Load) -> anyhow::Result<()> {
    match &arguments.gateway {
        Some(gateway) => of_another(arguments, gateway).await,
        None => of_ones_own(arguments).await,
    }
}

/// Of services that are started here: their spans come here, too.
async fn of_ones_own(arguments: &Load) -> anyhow::Result<()> {
    let mut scene = Scene::open("load").await?;
    let (sent, done, took, missing) = select! {
        measured = measure(&scene, arguments) => measured?,
        ended = scene.platform.ended() => return Err(ended),
    };
    // Then all spans are here.
    scene.close().await?;
    let hops = Hops::of(&scene.forest());
    println!("{}", Summary { sent: &sent, done: Some((done, took)), hops: Some(&hops), missing: &missing });
    ensure!(done == arguments.orders, "{} of {} orders were not done", arguments.orders - done, arguments.orders);
    Ok(())
}

async fn measure(scene: &Scene, arguments: &Load) -> anyhow::Result<(Sent, usize, Duration, Vec<Missing>)> {
    let customer = Customer::new()?;
    let start = Instant::now();
    let sent = orders::send(&customer, scene.platform.url("gateway")?, arguments).await?;
    let done = follow(scene, &sent.traces()).await?;
    let took = start.elapsed();
    let mut missing = Vec::new();
    for (_, url) in scene.platform.urls() {
        missing.extend(missing_contexts(&customer, url).await?);
    }
    Ok((sent, done, took, missing))
}

/// Of services that run elsewhere: what can be seen from outside.
async fn of_another(arguments: &Load, gateway: &str) -> anyhow::Result<()> {
    let customer = Customer::new()?;
    let sent = orders::send(&customer, gateway, arguments).await?;
    let mut missing = Vec::new();
    for url in std::iter::once(gateway).chain(arguments.health.iter().map(String::as_str)) {
        missing.extend(missing_contexts(&customer, url).await?);
    }
    println!("{}", Summary { sent: &sent, done: None, hops: None, missing: &missing });
    let accepted = sent.accepted.len();
    ensure!(
        accepted == arguments.orders,
        "{} of {} orders were refused",
        arguments.orders - accepted,
        arguments.orders
    );
    Ok(())
}

/// How many orders came to their end, in the customer's ear or as a refund.
async fn follow(scene: &Scene, traces: &HashSet<TraceId>) -> anyhow::Result<usize> {
    let bar = bar(traces.len(), "done")?;
    let (mut done, mut seen, mut progress) = (HashSet::new(), 0, Instant::now());
    while done.len() < traces.len() && progress.elapsed() < STANDSTILL {
        let before = done.len();
        scene.collector.inspect(|received| {
            let new = received.spans().iter().skip(seen);
            let ends = new.filter(|span| matches!(span.name(), "notify customer" | "refund customer"));
            done.extend(ends.map(|span| span.trace_id()).filter(|trace| traces.contains(trace)));
            seen = received.spans().len();
        });
        if done.len() > before {
            progress = Instant::now();
            bar.set_position(u64::try_from(done.len())?);
        } else {
            sleep(POLL).await;
        }
    }
    bar.finish_and_clear();
    Ok(done.len())
}

/// Drawn on a terminal only.
fn bar(length: usize, what: &'static str) -> anyhow::Result<ProgressBar> {
    let style = "{msg:>8} [{wide_bar:.green}] {pos}/{len}  {per_sec}  {elapsed}, {eta} to go";
    let style = ProgressStyle::with_template(style)?.progress_chars("█▉▊▋▌▍▎▏ ");
    Ok(ProgressBar::new(u64::try_from(length)?).with_style(style).with_message(what))
}

async fn missing_contexts(customer: &Customer, url: &str) -> anyhow::Result<Vec<Missing>> {
    let health = customer.health(url).await.with_context(|| format!("{url}/health/tracing"))?;
    let service = health.get("service").and_then(Value::as_str).unwrap_or(url);
    let of = |missing: &Value| {
        let count = |key| missing.get(key).and_then(Value::as_u64).unwrap_or_default();
        Some(Missing {
            service: service.to_owned(),
            destination: missing.get("destination")?.as_str()?.to_owned(),
            absent: count("absent"),
            invalid: count("invalid") + count("conflicting"),
        })
    };
    let missing = health.get("without_context").and_then(Value::as_array).context("no report of contexts")?;
    Ok(missing.iter().filter_map(of).collect())
}
