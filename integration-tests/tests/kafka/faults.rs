//! The broker dies under load. That one which stops in good order comes back is in the conformance suite.

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use integration_tests::unique;
use opentelemetry::trace::Tracer as _;
use opentelemetry_sdk::trace::SdkTracer;
use rdkafka::Message as _;
use rdkafka::consumer::{CommitMode, DefaultConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use traced_kafka::{TracedConsumer, TracedProducer};

use crate::cluster::{Cluster, close, patiently};

/// Of each kind: those that wait until the broker is back, and those whose records are given up by librdkafka after a second.
const PUBLISHERS: usize = 4;
/// Acknowledged, by all together, before the broker is killed; and by each one after it is back.
const MESSAGES: usize = 200;

/// What a publisher has seen.
#[derive(Default)]
struct Published {
    acknowledged: BTreeSet<String>,
    refused: usize,
}

/// What happens to them.
enum Event {
    Acknowledged,
    Refused,
    Handled(String),
}

/// What has happened so far, of which nothing is passed over.
#[derive(Default)]
struct Events {
    acknowledged: usize,
    refused: usize,
    handled: usize,
    /// Once each.
    names: BTreeSet<String>,
}

impl Events {
    fn note(&mut self, event: Event) {
        match event {
            Event::Acknowledged => self.acknowledged += 1,
            Event::Refused => self.refused += 1,
            Event::Handled(name) => {
                self.handled += 1;
                self.names.insert(name);
            }
        }
    }

    async fn until(
        &mut self,
        happens: &mut mpsc::UnboundedReceiver<Event>,
        enough: impl Fn(&Self) -> bool,
    ) -> Result<()> {
        while !enough(self) {
            self.note(happens.recv().await.context("nobody is left to whom something could happen")?);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_under_load_loses_nothing_that_it_acknowledged_and_leaves_no_span_open() -> Result<()> {
    let cluster = Cluster::own().await?;
    let topic = cluster.topic(2).await?;
    let (send, process) = (format!("send {topic}"), format!("process {topic}"));
    let (events, mut happens) = mpsc::unbounded_channel();
    let (back, is_back) = watch::channel(false);

    let context = DefaultConsumerContext;
    let consumer =
        cluster.consumer(&topic, &unique(), context, [], |all| all.receive_spans(true).settle_spans(true))?;
    let consumer = Arc::new(consumer);
    let (stop, stopped) = watch::channel(());
    let worker =
        tokio::spawn(work(Arc::clone(&consumer), cluster.capture.tracer("warehouse"), events.clone(), stopped));

    let mut publishers = JoinSet::new();
    let patient = cluster.producer([("linger.ms", "0")])?;
    let impatient = cluster.producer([("linger.ms", "0"), ("message.timeout.ms", "1000")])?;
    for number in 0..PUBLISHERS {
        for (kind, producer) in [("patient", &patient), ("impatient", &impatient)] {
            let (name, topic) = (format!("{kind}-{number}"), topic.clone());
            publishers.spawn(publish(producer.clone(), topic, name, events.clone(), is_back.clone()));
        }
    }
    drop((patient, impatient));

    // In the middle of it all.
    let mut so_far = Events::default();
    let busy = |so_far: &Events| so_far.acknowledged >= MESSAGES && so_far.handled >= MESSAGES / 2;
    patiently("load", so_far.until(&mut happens, busy)).await??;
    cluster.broker.kill().await?;
    // Some give up, which is an error on their spans; the others still wait, and so do their spans.
    patiently("a refusal", so_far.until(&mut happens, |so_far| so_far.refused > 0)).await??;
    assert!(cluster.open(&send) >= PUBLISHERS, "{:?}", cluster.capture.open_spans());
    patiently("the broker's start", cluster.broker.start_again()).await??;
    back.send_replace(true);

    let mut published = Published::default();
    while let Some(each) = patiently("publishers", publishers.join_next()).await? {
        let each = each??;
        published.acknowledged.extend(each.acknowledged);
        published.refused += each.refused;
    }
    let (calls, refused) = (published.acknowledged.len() + published.refused, published.refused);
    let all_came = so_far.until(&mut happens, |so_far| published.acknowledged.is_subset(&so_far.names));
    if patiently("the last message", all_came).await.is_err() {
        bail!("lost: {:?}", published.acknowledged.difference(&so_far.names).collect::<Vec<_>>());
    }
    stop.send_replace(());
    patiently("the worker's end", worker).await???;
    while let Ok(event) = happens.try_recv() {
        so_far.note(event);
    }
    close(consumer).await?;

    cluster.capture.assert_no_open_spans();
    let (sent, processed) = (cluster.named(&send), cluster.named(&process));
    // A span for each call and for each handler that ran, and not one more.
    assert_eq!((sent.len(), processed.len()), (calls, so_far.handled));
    assert_eq!(sent.iter().filter(|span| span.is_error()).count(), refused);
    let parents: HashSet<_> = sent.iter().map(|span| Some(span.span_id())).collect();
    assert!(processed.iter().all(|span| parents.contains(&span.parent_id()) && !span.is_error()));
    eprintln!("{calls} sent, {refused} of them given up; {} handled", so_far.handled);
    Ok(())
}

/// Sends one record after the other, until enough are acknowledged by the broker that is back.
async fn publish(
    producer: TracedProducer,
    topic: String,
    name: String,
    events: mpsc::UnboundedSender<Event>,
    back: watch::Receiver<bool>,
) -> Result<Published> {
    let (mut published, mut after) = (Published::default(), 0);
    for number in 0.. {
        let order = format!("{name}-{number}");
        let is_back = *back.borrow();
        let record = FutureRecord::to(&topic).key(&order).payload(&order);
        match patiently("an answer", producer.send(record, Timeout::Never)).await? {
            Ok(_) => {
                published.acknowledged.insert(order);
                events.send(Event::Acknowledged).ok();
                after += usize::from(is_back);
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut), _)) => {
                published.refused += 1;
                events.send(Event::Refused).ok();
            }
            Err((error, _)) => return Err(error.into()),
        }
        if after == MESSAGES {
            break;
        }
    }
    Ok(published)
}

/// Processes until it is told to stop; what it could not commit comes again.
async fn work(
    consumer: Arc<TracedConsumer<StreamConsumer>>,
    tracer: SdkTracer,
    events: mpsc::UnboundedSender<Event>,
    mut stopped: watch::Receiver<()>,
) -> Result<()> {
    loop {
        let message = tokio::select! {
            message = consumer.recv() => message,
            _ = stopped.changed() => return Ok(()),
        };
        // That the broker is gone is told here; the client finds it again by itself.
        let Ok(message) = message else { continue };
        let handler = async |message: BorrowedMessage<'_>| {
            tracer.in_span("handle", |_| ());
            let name = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
            events.send(Event::Handled(name)).ok();
            consumer.commit_message(&message, CommitMode::Async).ok();
            Ok::<_, Infallible>(())
        };
        message.process(handler).await?;
    }
}
