//! What every test starts with: a real Kafka, topics and groups of its own, a capture.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use integration_tests::{create_topic, unique};
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, ConsumerContext, StreamConsumer};
use test_brokers::Kafka;
use tokio::task::spawn_blocking;
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_kafka::{Settings, TracedConsumer, TracedProducer};

/// Longer than a busy machine needs, and than a killed Kafka takes to come back; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Cluster {
    pub(crate) capture: Capture,
    pub(crate) broker: Arc<Kafka>,
}

impl Cluster {
    pub(crate) async fn shared() -> Result<Self> {
        Ok(Self { capture: Capture::new(), broker: Kafka::shared().await? })
    }

    /// A broker that nobody else uses.
    pub(crate) async fn own() -> Result<Self> {
        Ok(Self { capture: Capture::new(), broker: Arc::new(Kafka::start().await?) })
    }

    pub(crate) async fn topic(&self, partitions: i32) -> Result<String> {
        let topic = format!("orders-{}", unique());
        create_topic(&self.broker, &topic, partitions).await?;
        Ok(topic)
    }

    /// As the service `shop`.
    pub(crate) fn producer<const N: usize>(&self, options: [(&str, &str); N]) -> Result<TracedProducer> {
        Ok(TracedProducer::with_settings(self.config(options).create()?, &self.capture.settings("shop")))
    }

    /// A member of the group, subscribed to the topic, as the service `warehouse`.
    pub(crate) fn consumer<C: ConsumerContext + 'static, const N: usize>(
        &self,
        topic: &str,
        group: &str,
        context: C,
        options: [(&str, &str); N],
        settings: impl FnOnce(Settings) -> Settings,
    ) -> Result<TracedConsumer<StreamConsumer<C>>> {
        let mut config = self.config(options);
        config
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            // The least that a broker takes: for so long it waits for a member that is gone.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "500");
        let consumer: StreamConsumer<C> = config.create_with_context(context)?;
        consumer.subscribe(&[topic])?;
        Ok(TracedConsumer::with_settings(consumer, &settings(self.capture.settings("warehouse"))))
    }

    fn config<const N: usize>(&self, options: [(&str, &str); N]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.bootstrap_servers());
        for (name, value) in options {
            config.set(name, value);
        }
        config
    }

    /// The spans of this name that have ended.
    pub(crate) fn named(&self, name: &str) -> Vec<CapturedSpan> {
        self.capture.spans().into_iter().filter(|span| span.name() == name).collect()
    }

    /// How many spans of this name have not.
    pub(crate) fn open(&self, name: &str) -> usize {
        self.capture.open_spans().iter().filter(|span| span.name() == name).count()
    }
}

/// Waits, but not for ever.
pub(crate) async fn patiently<F: Future>(what: &str, future: F) -> Result<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.with_context(|| format!("{what}: nothing within {PATIENCE:?}"))
}

/// Closes a client, which blocks: a consumer leaves its group.
pub(crate) async fn close<T: Send + 'static>(client: T) -> Result<()> {
    Ok(patiently("a client closes", spawn_blocking(move || drop(client))).await??)
}
