//! A group whose partitions move while messages are processed.

use std::collections::HashSet;
use std::convert::Infallible;

use anyhow::{Context as _, Result};
use integration_tests::unique;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, DefaultConsumerContext, Rebalance};
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::cluster::{Cluster, close, patiently};

const PARTITIONS: i32 = 4;

/// Tells which partitions are taken away, how many.
struct Revocations(mpsc::UnboundedSender<usize>);

impl ClientContext for Revocations {}

impl ConsumerContext for Revocations {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            self.0.send(partitions.count()).ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_consumer_that_joins_in_the_middle_of_processing_leaves_no_span_open() -> Result<()> {
    // All partitions are taken and handed out anew; or only those that move.
    for (strategy, taken) in [("range", 4), ("cooperative-sticky", 2)] {
        joined(strategy, taken).await.context(strategy)?;
    }
    Ok(())
}

async fn joined(strategy: &str, taken: usize) -> Result<()> {
    let cluster = Cluster::shared().await?;
    let (topic, group) = (cluster.topic(PARTITIONS).await?, unique());
    let (send, process) = (format!("send {topic}"), format!("process {topic}"));
    let producer = cluster.producer([])?;
    for partition in 0..PARTITIONS {
        let record = FutureRecord::to(&topic).partition(partition).key("42").payload("{}");
        patiently("a send", producer.send(record, Timeout::Never)).await?.map_err(|(error, _)| error)?;
    }

    let strategy = [("partition.assignment.strategy", strategy)];
    let (revoked, mut revocations) = mpsc::unbounded_channel();
    let first = cluster.consumer(&topic, &group, Revocations(revoked), strategy, |settings| settings)?;
    let (release, released) = watch::channel(false);
    let mut handlers = JoinSet::new();
    for _ in 0..PARTITIONS {
        let message = patiently("the first's message", first.recv()).await??.detach();
        let mut released = released.clone();
        handlers.spawn(message.process(async move |_| released.wait_for(|released| *released).await.map(drop)));
    }
    patiently("the handlers' start", async {
        while cluster.open(&process) < handlers.len() {
            tokio::task::yield_now().await;
        }
    })
    .await?;

    let second = cluster.consumer(&topic, &group, DefaultConsumerContext, strategy, |settings| settings)?;
    let mut again = 0;
    // Polling serves the rebalance, on both sides.
    let count = patiently("a rebalance", async {
        loop {
            tokio::select! {
                Some(count) = revocations.recv() => break count,
                _ = first.recv() => {}
                _ = second.recv() => again += 1,
            }
        }
    })
    .await?;
    assert_eq!(count, taken);
    assert_eq!(cluster.open(&process), handlers.len(), "they are in the middle of it");

    // Nothing was committed: what moves comes once more, to the second one, while the first still is at work.
    let message = patiently("a message that moved", async {
        loop {
            tokio::select! {
                _ = first.recv() => {}
                message = second.recv() => break message,
            }
        }
    })
    .await??;
    assert_eq!((again, cluster.open(&process)), (0, handlers.len()));
    message.process(async |_| Ok::<_, Infallible>(())).await?;

    release.send_replace(true);
    while let Some(handled) = patiently("the handlers' end", handlers.join_next()).await? {
        handled??;
    }
    close(first).await?;
    close(second).await?;

    cluster.capture.assert_no_open_spans();
    let (sent, processed) = (cluster.named(&send), cluster.named(&process));
    // One for each handler; those of the message that moved are two of one trace, below one parent.
    assert_eq!((sent.len(), processed.len()), (4, 5));
    let distinct: HashSet<_> = processed.iter().map(|span| span.span_id()).collect();
    assert_eq!(distinct.len(), 5);
    let parents: HashSet<_> = processed.iter().map(|span| span.parent_id()).collect();
    assert_eq!(parents, sent.iter().map(|span| Some(span.span_id())).collect());
    assert!(processed.iter().all(|span| !span.is_error()), "{processed:#?}");
    Ok(())
}
