//! Redis streams through `traced-redis`.

mod fields;

use crate::unique::unique;
use crate::{Ability, Arrived, Payload, Settle, Spans, Transport};
use anyhow::{Context as _, Result};
pub use fields::OtherFields;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamClaimOptions, StreamPendingCountReply, StreamReadOptions};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, RedisResult};
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use test_brokers::Redis;
use tokio::time::timeout;
use traced_envelope::Settings;
use traced_redis::{Entry, Form, StreamConsumer, TracedEntry, TracedProducer};

const GROUP: &str = "inventory";
const WORKER: &str = "worker-1";

/// For what the server answers at once, if it is there.
const ANSWER: Duration = Duration::from_secs(10);

/// A connection to Redis, a stream, and the group that reads it.
#[derive(Clone)]
pub struct RedisStreamsTransport {
    broker: Arc<Redis>,
    connection: MultiplexedConnection,
    stream: String,
}

impl RedisStreamsTransport {
    async fn on(broker: Arc<Redis>, stream: String) -> Result<Self> {
        let mut connection = connect(&broker).await?;
        let made: RedisResult<()> = connection.xgroup_create_mkstream(&stream, GROUP, "0").await;
        match made {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(error.into()),
            _ => Ok(Self { broker, connection, stream }),
        }
    }
}

async fn connect(broker: &Redis) -> Result<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
    let client = Client::open(broker.url())?;
    Ok(timeout(ANSWER, client.get_multiplexed_async_connection_with_config(&patient)).await??)
}

impl Debug for RedisStreamsTransport {
    /// redis' connections have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("RedisStreamsTransport");
        shown.field("broker", &self.broker).field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Entries that are to be delivered again: Redis leaves that to those who claim.
type Again = Arc<Mutex<Vec<String>>>;

/// A consumer of the group, on a connection of its own.
#[derive(Debug)]
pub struct Worker {
    consumer: StreamConsumer<MultiplexedConnection>,
    acknowledging: MultiplexedConnection,
    stream: String,
    again: Again,
}

/// An entry, and what settles it.
#[derive(Debug)]
pub struct Delivery {
    entry: TracedEntry,
    acknowledging: StreamConsumer<MultiplexedConnection>,
    again: Again,
}

impl Worker {
    fn delivery(&self, entry: TracedEntry) -> Delivery {
        let mut acknowledging = self.consumer.clone();
        acknowledging.get_mut().clone_from(&self.acknowledging);
        Delivery { entry, acknowledging, again: Arc::clone(&self.again) }
    }

    fn next_again(&self) -> Option<String> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

async fn settle(
    acknowledging: &mut StreamConsumer<MultiplexedConnection>,
    again: &Again,
    entry: &Entry,
    settle: Settle,
) {
    match settle {
        // What cannot be settled, because the connection is gone, is claimed by the next consumer.
        Settle::Done => _ = acknowledging.xack(entry.stream(), GROUP, &[entry.id()]).await.ok(),
        Settle::Again => again.lock().unwrap_or_else(PoisonError::into_inner).push(entry.id().to_owned()),
    }
}

fn arrived(entry: &Entry) -> Arrived<OtherFields> {
    let (payload, native) = OtherFields::of(entry);
    Arrived { payload, native }
}

impl Transport for RedisStreamsTransport {
    const NAME: &'static str = "traced-redis";
    const SYSTEM: &'static str = "redis";
    const LACKS: &'static [(Ability, &'static str)] = &[];

    type Native = OtherFields;
    type Producer = TracedProducer<MultiplexedConnection>;
    type Consumer = Worker;
    type Delivery = Delivery;

    async fn shared() -> Result<Self> {
        Self::on(Redis::shared().await?, format!("orders-{}", unique())).await
    }

    async fn own() -> Result<Self> {
        Self::on(Arc::new(Redis::start().await?), format!("orders-{}", unique())).await
    }

    async fn reconnect(&self) -> Result<Self> {
        Self::on(Arc::clone(&self.broker), self.stream.clone()).await
    }

    async fn restart(&self) -> Result<()> {
        // A crash, for what was confirmed is on disk already.
        self.broker.kill().await?;
        self.broker.start_again().await
    }

    fn describe(&self) -> String {
        self.broker.describe().to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (test_brokers::REDIS.url_variable, self.broker.url().to_owned())
    }

    fn spans(&self) -> Spans {
        let stream = &self.stream;
        Spans {
            publish: format!("xadd {stream}"),
            create: format!("create {stream}"),
            process: format!("process {stream}"),
            published_to: stream.clone(),
            consumed_from: stream.clone(),
        }
    }

    fn consumer_group(&self) -> Option<String> {
        Some(GROUP.to_owned())
    }

    fn plain() -> OtherFields {
        OtherFields::default()
    }

    fn rich() -> OtherFields {
        fields::rich()
    }

    fn with_headers(native: OtherFields, added: &[(&str, &str)]) -> OtherFields {
        native.with(&added.iter().map(|(name, value)| (*name, value.as_bytes())).collect::<Vec<_>>())
    }

    fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, OtherFields)> {
        fields::foreign(added)
    }

    fn malformed() -> Vec<(&'static str, OtherFields)> {
        fields::malformed()
    }

    fn conflicting() -> Vec<(&'static str, OtherFields)> {
        fields::conflicting()
    }

    fn header(native: &OtherFields, name: &str) -> Vec<String> {
        native.values(name)
    }

    fn without(native: &OtherFields, names: &[&str]) -> OtherFields {
        native.without(names)
    }

    fn producer(&self, settings: &Settings) -> Self::Producer {
        TracedProducer::with_settings(self.connection.clone(), Form::Bare, settings)
    }

    async fn publish(&self, producer: &Self::Producer, payload: &[u8], native: OtherFields) -> Result<()> {
        producer.clone().xadd(&self.stream, "*", &native.items(payload)).await?.context("an id")?;
        Ok(())
    }

    async fn publish_batch(&self, producer: &Self::Producer, messages: Vec<Payload<OtherFields>>) -> Result<()> {
        let mut producer = producer.clone();
        let added = producer.pipeline::<Vec<String>>(|pipeline| {
            for (payload, native) in &messages {
                pipeline.xadd(&self.stream, "*", &native.items(payload));
            }
        });
        anyhow::ensure!(added.await?.len() == messages.len(), "not all were added");
        Ok(())
    }

    async fn publish_bare(&self, payload: &[u8], native: OtherFields) -> Result<()> {
        let _: String = self.connection.clone().xadd(&self.stream, "*", &native.items(payload)).await?;
        Ok(())
    }

    async fn consumer(&self, settings: &Settings) -> Result<Worker> {
        let mut acknowledging = connect(&self.broker).await?;
        // What a consumer before this one has left.
        let left: StreamPendingCountReply = acknowledging.xpending_count(&self.stream, GROUP, "-", "+", 1000).await?;
        let left = left.ids.into_iter().rev().map(|entry| entry.id).collect();
        let consumer = StreamConsumer::with_settings(connect(&self.broker).await?, settings);
        Ok(Worker { consumer, acknowledging, stream: self.stream.clone(), again: Arc::new(Mutex::new(left)) })
    }

    async fn next(worker: &mut Worker) -> Result<Delivery> {
        let options = StreamReadOptions::default().group(GROUP, WORKER).count(1).block(100);
        loop {
            let entry = match worker.next_again() {
                Some(id) => {
                    let options = StreamClaimOptions::default();
                    worker.consumer.xclaim_options(&worker.stream, GROUP, WORKER, 0, &[id], options).await?.pop()
                }
                None => worker.consumer.xread_options(&[&worker.stream], &[">"], &options).await?.pop(),
            };
            if let Some(entry) = entry {
                return Ok(worker.delivery(entry));
            }
        }
    }

    async fn pull(&self, settings: &Settings) -> Result<Delivery> {
        let mut worker = self.consumer(settings).await?;
        worker.consumer = worker.consumer.pulled(true);
        Self::next(&mut worker).await
    }

    async fn close(&self, _worker: Worker) -> Result<()> {
        Ok(())
    }

    fn process<H, F, R, E>(
        delivery: Delivery,
        afterwards: Settle,
        handler: H,
    ) -> impl Future<Output = Result<R, E>> + Send
    where
        H: FnOnce(Arrived<OtherFields>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Send + 'static,
    {
        let Delivery { entry, mut acknowledging, again } = delivery;
        entry.process(async move |entry: Entry| {
            let result = handler(arrived(&entry)).await;
            settle(&mut acknowledging, &again, &entry, afterwards).await;
            result
        })
    }

    async fn process_batch<H, F, R, E>(worker: &Worker, deliveries: Vec<Delivery>, handler: H) -> Result<R>
    where
        H: FnOnce(Vec<Arrived<OtherFields>>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Debug + Send + Sync + 'static,
    {
        let mut acknowledging = worker.acknowledging.clone();
        let entries = deliveries.into_iter().map(|delivery| delivery.entry).collect();
        let processed = worker.consumer.process_batch(entries, async move |entries: Vec<Entry>| {
            let result = handler(entries.iter().map(arrived).collect()).await;
            let ids: Vec<_> = entries.iter().map(Entry::id).collect();
            let _: RedisResult<usize> = acknowledging.xack(&worker.stream, GROUP, &ids).await;
            result
        });
        processed.await.map_err(|error| anyhow::anyhow!("{error}"))
    }

    async fn republish(&self, producer: &Self::Producer, delivery: Delivery) -> Result<()> {
        let (mut producer, stream) = (producer.clone(), self.stream.clone());
        let processed = delivery.entry.process(async move |entry: Entry| producer.republish(&entry, &stream).await);
        processed.await?;
        Ok(())
    }
}
