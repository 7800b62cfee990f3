//! A worker in a process of its own, as it runs.

use anyhow::{Context as _, Result, bail};
use apalis::prelude::WorkerBuilderExt as _;
use integration_tests::Often;
use integration_tests::{Postgres, Redis, Storage};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use serde_json::{Value, json};
use std::env::var;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use traced_apalis::apalis_core::backend::ext::BackendExt as _;
use traced_apalis::apalis_core::error::BoxDynError;
use traced_apalis::apalis_core::worker::builder::WorkerBuilder;
use traced_apalis::{Relation, TracedProducer};
use traced_envelope::testing::{Capture, CapturedSpan};

use crate::worker::{DEAD_AFTER, QUEUE, RELATION, SAYS, STORAGE, WAITS, WORKER};

#[tokio::test]
#[ignore = "a part of the other tests, in a process of its own"]
async fn worker_process() -> Result<()> {
    match &*var(STORAGE)? {
        Postgres::SYSTEM => work::<Postgres>().await,
        Redis::SYSTEM => work::<Redis>().await,
        other => bail!("no such storage: {other}"),
    }
}

/// Works until its input ends, and says which jobs it has begun and how they ended.
async fn work<S: Storage>() -> Result<()> {
    let (queue, capture) = (var(QUEUE)?, Capture::new());
    let relation = if var(RELATION)? == "parent" { Relation::Parent } else { Relation::Auto };
    let settings = capture.settings("warehouse").relation(relation);
    let storage = S::shared().await?.workers_queue(&queue, var(DEAD_AFTER)?.parse()?);
    let backend = TracedProducer::with_settings(storage, &settings).queue(&*queue);
    let go_on = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&go_on);
    let worker = WorkerBuilder::new(var(WORKER)?)
        .backend(backend.poll_with_strategy(Often::default()))
        // While it is busy it takes nothing else.
        .concurrency(1)
        .build(move |payload: Vec<u8>| {
            let waits = Arc::clone(&waits);
            async move {
                say(&format!("has {}", Context::current().span().span_context().trace_id()));
                if payload == WAITS {
                    waits.acquire().await?.forget();
                }
                Ok::<_, BoxDynError>(())
            }
        });
    let reports = tokio::spawn(report(capture));
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines() {
            go_on.add_permits(1);
        }
        ended.send(())
    });
    let told = async move { end.await.map_err(std::io::Error::other) };
    worker.run_until(told).await.map_err(|error| anyhow::anyhow!("{error}")).context("the worker")?;
    reports.abort();
    Ok(())
}

/// Each span as soon as it has ended.
async fn report(capture: Capture) {
    for count in 1.. {
        let spans = capture.spans_ended(count).await;
        if let Some(last) = spans.get(count - 1) {
            say(&described(last).to_string());
        }
    }
}

fn described(span: &CapturedSpan) -> Value {
    let text = |key| span.attribute(key).map(ToString::to_string);
    json!({
        "id": text("messaging.message.id"),
        "attempt": text("traced.message.attempt"),
        "outcome": text("apalis.outcome"),
        "trace": span.trace_id().to_string(),
        "parent": span.parent_id().map(|parent| parent.to_string()),
        "links": span.links().iter().map(|link| link.span_context.span_id().to_string()).collect::<Vec<_>>(),
    })
}

#[allow(clippy::print_stdout, reason = "the line is for the process that started this one")]
fn say(what: &str) {
    println!("\n{SAYS}{what}");
}
