//! The broker goes away and comes back.

use crate::bench::{cannot, report};
use crate::{Ability, Bench, Settle, Transport, soon};
use anyhow::{Context as _, Result};
use opentelemetry::trace::Tracer as _;
use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use traced_envelope::testing::Capture;

/// Before the restart begins this many messages are handled, and after it as many are published.
const MESSAGES: usize = 50;

/// The broker is restarted while messages are published and consumed. Each one that it confirmed is processed, at least once, below a
/// publish span of its own; every span has ended, also those of calls that the restart broke off.
pub async fn every_confirmed_message_is_processed_across_a_broker_restart<T: Transport>() -> Result<()> {
    if cannot::<T>("a broker restart", Ability::Restart) {
        return Ok(());
    }
    let bench = Bench { transport: T::own().await?, capture: Capture::new() };
    report(&format!("{}: restarting {}", T::NAME, bench.transport.describe()));

    let (handled, mut done) = mpsc::channel(2 * MESSAGES);
    let (restarted, publish_the_rest) = watch::channel(false);
    let worker = tokio::spawn(consume(bench.clone(), handled));
    let publisher = tokio::spawn(publish(bench.clone(), publish_the_rest));

    // In the middle of it all.
    let mut seen = BTreeSet::new();
    while seen.len() < MESSAGES {
        seen.insert(soon(done.recv()).await?.context("the worker has failed")?);
    }
    // What is handled meanwhile fits into the channel, and then the worker waits.
    patiently(bench.transport.restart()).await??;
    restarted.send_replace(true);
    let mut publisher = pin!(publisher);
    let confirmed = patiently(async {
        loop {
            tokio::select! {
                confirmed = &mut publisher => return anyhow::Ok(confirmed??),
                handled = done.recv() => seen.insert(handled.context("the worker has failed")?),
            };
        }
    })
    .await??;
    while !confirmed.is_subset(&seen) {
        let lost = || format!("lost: {:?}", confirmed.difference(&seen).collect::<Vec<_>>());
        let handled = patiently(done.recv()).await.with_context(lost)?;
        seen.insert(handled.context("the worker has failed")?);
    }
    worker.abort();
    assert!(soon(worker).await?.is_err_and(|error| error.is_cancelled()), "the worker ended by itself");

    bench.capture.assert_no_open_spans();
    let names = bench.transport.spans();
    let (published, processed) = (bench.named(&names.publish), bench.named(&names.process));
    assert!(published.len() >= confirmed.len() && processed.len() >= confirmed.len());
    let parents: HashSet<_> = published.iter().map(|span| Some(span.span_id())).collect();
    for process in &processed {
        assert!(parents.contains(&process.parent_id()), "its parent is no publish span: {process:?}");
    }
    let broken: Vec<_> =
        published.iter().filter_map(|span| span.attribute("error.type")).map(ToString::to_string).collect();
    report(&format!(
        "{}: {} messages confirmed; {} publish spans, {} of them broken off {broken:?}; {} process spans",
        T::NAME,
        confirmed.len(),
        published.len(),
        broken.len(),
        processed.len(),
    ));
    Ok(())
}

/// Publishes until the broker is back, and some more, over a new connection whenever the old one is broken. Returns what was confirmed.
async fn publish<T: Transport>(bench: Bench<T>, restarted: watch::Receiver<bool>) -> Result<BTreeSet<String>> {
    let (mut transport, mut confirmed, mut after) = (bench.transport.clone(), BTreeSet::new(), 0);
    let mut producer = transport.producer(&bench.shop());
    for number in 0.. {
        let name = number.to_string();
        while let Err(error) = patiently(transport.publish(&producer, name.as_bytes(), T::plain())).await? {
            report(&format!("{}: message {name} is published again: {error}", T::NAME));
            transport = reconnected(&transport).await?;
            producer = transport.producer(&bench.shop());
        }
        confirmed.insert(name);
        after += usize::from(*restarted.borrow());
        if after == MESSAGES {
            break;
        }
    }
    Ok(confirmed)
}

async fn consume<T: Transport>(bench: Bench<T>, handled: mpsc::Sender<String>) -> Result<()> {
    let mut transport = bench.transport.clone();
    loop {
        if let Ok(mut consumer) = patiently(transport.consumer(&bench.warehouse())).await? {
            while let Ok(delivery) = T::next(&mut consumer).await {
                let (handled, tracer) = (handled.clone(), bench.warehouse_tracer());
                T::process(delivery, Settle::Done, async move |arrived| {
                    tracer.in_span("handle", |_| ());
                    let _ = handled.send(String::from_utf8_lossy(&arrived.payload).into_owned()).await;
                    Ok::<_, Infallible>(())
                })
                .await?;
            }
        }
        transport = reconnected(&transport).await?;
    }
}

/// A broker takes its time to stop and to start.
async fn patiently<R>(future: impl Future<Output = R>) -> Result<R> {
    tokio::time::timeout(Duration::from_secs(120), future).await.context("nothing came within two minutes")
}

async fn reconnected<T: Transport>(transport: &T) -> Result<T> {
    let mut attempts = tokio::time::interval(Duration::from_millis(100));
    patiently(async {
        loop {
            attempts.tick().await;
            // A broker that is starting may take a connection and say nothing on it; not every client has a time limit for that.
            let attempt = tokio::time::timeout(Duration::from_secs(5), transport.reconnect()).await;
            if let Ok(Ok(transport)) = attempt {
                return transport;
            }
        }
    })
    .await
}
