//! Kafka through `traced-kafka`.

mod headers;
mod topic;

use crate::unique::unique;
use crate::{Ability, Arrived, Payload, Settle, Spans, Transport};
use anyhow::{Context as _, Result};
pub use headers::KeyAndHeaders;
use opentelemetry::Context;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use test_brokers::Kafka;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
pub use topic::create_topic;
use traced_envelope::Settings;
use traced_kafka::{TracedConsumer, TracedMessage, TracedProducer};

/// For what the broker answers at once, if it is there.
const ANSWER: Duration = Duration::from_secs(5);

/// For a commit: librdkafka looks for the group's coordinator as long as the session lasts.
const SETTLED: Duration = Duration::from_secs(20);

/// For a consumer that leaves its group.
const LEFT: Duration = Duration::from_secs(30);

/// A producer on Kafka, a topic of one partition, and the group that reads it.
#[derive(Clone)]
pub struct KafkaTransport {
    broker: Arc<Kafka>,
    producer: FutureProducer,
    topic: String,
    group: String,
}

impl KafkaTransport {
    async fn on(broker: Arc<Kafka>, id: &str) -> Result<Self> {
        let (topic, group) = (format!("orders-{id}"), format!("inventory-{id}"));
        create_topic(&broker, &topic, 1).await?;
        Ok(Self { producer: config(&broker).create()?, broker, topic, group })
    }
}

impl Debug for KafkaTransport {
    /// rdkafka's producers have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("KafkaTransport");
        shown.field("broker", &self.broker).field("topic", &self.topic).finish_non_exhaustive()
    }
}

fn config(broker: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    config
}

type Shared = Arc<TracedConsumer<StreamConsumer>>;

/// A message that outlives the borrow of its consumer, and the consumer that commits it.
#[derive(Debug)]
pub struct Delivery {
    message: TracedMessage<OwnedMessage>,
    consumer: Shared,
}

/// librdkafka waits for the broker's answer on the calling thread: on one of its own, so that a broker that is gone holds up nobody.
async fn settle(consumer: &Shared, message: &OwnedMessage, settle: Settle) {
    let (topic, partition, offset) = (message.topic().to_owned(), message.partition(), message.offset());
    // The opt-in span of a commit belongs to the current context.
    let (consumer, context) = (Arc::clone(consumer), Context::current());
    let settling = spawn_blocking(move || -> KafkaResult<()> {
        let _context = context.attach();
        match settle {
            Settle::Done => {
                let mut offsets = TopicPartitionList::new();
                // What is committed is where to go on.
                offsets.add_partition_offset(&topic, partition, Offset::Offset(offset.saturating_add(1)))?;
                consumer.commit(&offsets, CommitMode::Sync)
            }
            Settle::Again => consumer.get_ref().seek(&topic, partition, Offset::Offset(offset), ANSWER),
        }
    });
    // What cannot be settled, because the connection is gone, is delivered again.
    timeout(SETTLED, settling).await.ok();
}

fn arrived(message: &OwnedMessage) -> Arrived<KeyAndHeaders> {
    Arrived { payload: message.payload().unwrap_or_default().to_vec(), native: KeyAndHeaders::of(message) }
}

impl Transport for KafkaTransport {
    const NAME: &'static str = "traced-kafka";
    const SYSTEM: &'static str = "kafka";
    const LACKS: &'static [(Ability, &'static str)] = &[
        (Ability::Pull, "a poll is one turn of a loop: no message can be asked for alone"),
        (Ability::Redeliver, "Kafka counts no deliveries: a record that is read again is the same as the first time"),
    ];

    type Native = KeyAndHeaders;
    type Producer = TracedProducer;
    type Consumer = Shared;
    type Delivery = Delivery;

    async fn shared() -> Result<Self> {
        Self::on(Kafka::shared().await?, &unique()).await
    }

    async fn own() -> Result<Self> {
        Self::on(Arc::new(Kafka::start().await?), &unique()).await
    }

    async fn reconnect(&self) -> Result<Self> {
        let id = self.topic.strip_prefix("orders-").context("the topic's name")?;
        Self::on(Arc::clone(&self.broker), id).await
    }

    async fn restart(&self) -> Result<()> {
        self.broker.restart().await
    }

    fn describe(&self) -> String {
        self.broker.describe().to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (test_brokers::KAFKA.url_variable, self.broker.bootstrap_servers().to_owned())
    }

    fn spans(&self) -> Spans {
        let topic = &self.topic;
        Spans {
            publish: format!("send {topic}"),
            create: format!("create {topic}"),
            process: format!("process {topic}"),
            published_to: topic.clone(),
            consumed_from: topic.clone(),
        }
    }

    fn plain() -> KeyAndHeaders {
        KeyAndHeaders::default()
    }

    fn rich() -> KeyAndHeaders {
        headers::rich()
    }

    fn with_headers(native: KeyAndHeaders, added: &[(&str, &str)]) -> KeyAndHeaders {
        native.with(added.iter().map(|(name, value)| (*name, Some(value.as_bytes()))))
    }

    fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, KeyAndHeaders)> {
        headers::foreign(added)
    }

    fn malformed() -> Vec<(&'static str, KeyAndHeaders)> {
        headers::malformed()
    }

    fn conflicting() -> Vec<(&'static str, KeyAndHeaders)> {
        headers::conflicting()
    }

    fn header(native: &KeyAndHeaders, name: &str) -> Vec<String> {
        native.values(name)
    }

    fn without(native: &KeyAndHeaders, names: &[&str]) -> KeyAndHeaders {
        native.without(names)
    }

    fn producer(&self, settings: &Settings) -> TracedProducer {
        TracedProducer::with_settings(self.producer.clone(), settings)
    }

    async fn publish(&self, producer: &TracedProducer, payload: &[u8], native: KeyAndHeaders) -> Result<()> {
        let record = native.record(&self.topic, payload);
        producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
        Ok(())
    }

    async fn publish_batch(&self, producer: &TracedProducer, messages: Vec<Payload<KeyAndHeaders>>) -> Result<()> {
        let records: Vec<_> = messages.iter().map(|(payload, native)| native.record(&self.topic, payload)).collect();
        for delivery in producer.send_batch(records, Timeout::Never).await {
            delivery.map_err(|(error, _)| error)?;
        }
        Ok(())
    }

    async fn publish_bare(&self, payload: &[u8], native: KeyAndHeaders) -> Result<()> {
        let record: FutureRecord<'_, _, _> = native.record(&self.topic, payload);
        self.producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
        Ok(())
    }

    async fn consumer(&self, settings: &Settings) -> Result<Shared> {
        let consumer: StreamConsumer = config(&self.broker)
            .set("group.id", &self.group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            // The least that a broker takes: for so long the partition waits for a consumer that went while there was no broker.
            .set("session.timeout.ms", "6000")
            .create()?;
        consumer.subscribe(&[&self.topic])?;
        Ok(Arc::new(TracedConsumer::with_settings(consumer, settings)))
    }

    async fn next(consumer: &mut Shared) -> Result<Delivery> {
        let message = consumer.recv().await?.detach();
        Ok(Delivery { message, consumer: Arc::clone(consumer) })
    }

    async fn close(&self, consumer: Shared) -> Result<()> {
        // Dropped, it leaves its group, and waits for that.
        let consumer = Arc::into_inner(consumer).context("a message of this consumer is still there")?;
        timeout(LEFT, spawn_blocking(move || drop(consumer)))
            .await
            .context("the consumer does not leave its group")??;
        Ok(())
    }

    fn process<H, F, R, E>(
        delivery: Delivery,
        afterwards: Settle,
        handler: H,
    ) -> impl Future<Output = Result<R, E>> + Send
    where
        H: FnOnce(Arrived<KeyAndHeaders>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Send + 'static,
    {
        let Delivery { message, consumer } = delivery;
        message.process(async move |message: OwnedMessage| {
            let result = handler(arrived(&message)).await;
            settle(&consumer, &message, afterwards).await;
            result
        })
    }

    async fn process_batch<H, F, R, E>(consumer: &Shared, deliveries: Vec<Delivery>, handler: H) -> Result<R>
    where
        H: FnOnce(Vec<Arrived<KeyAndHeaders>>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Debug + Send + Sync + 'static,
    {
        let messages = deliveries.into_iter().map(|delivery| delivery.message).collect();
        let processed = consumer.process_batch(messages, async move |messages: Vec<OwnedMessage>| {
            let result = handler(messages.iter().map(arrived).collect()).await;
            // The last one's offset stands for all before it.
            if let Some(last) = messages.last() {
                settle(consumer, last, Settle::Done).await;
            }
            result
        });
        processed.await.map_err(|error| anyhow::anyhow!("{error}"))
    }

    async fn republish(&self, producer: &TracedProducer, delivery: Delivery) -> Result<()> {
        let (producer, topic) = (producer.clone(), self.topic.clone());
        let Delivery { message, consumer } = delivery;
        message
            .process(async move |message: OwnedMessage| {
                producer.republish(&message, &topic).await?;
                settle(&consumer, &message, Settle::Done).await;
                KafkaResult::Ok(())
            })
            .await?;
        Ok(())
    }
}
