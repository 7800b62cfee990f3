//! The Kafka topic `stock`: what was taken out of the stock.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use traced_kafka::{
    TracedProducer,
    rdkafka::{
        ClientConfig,
        consumer::{BaseConsumer, Consumer as _},
        producer::FutureRecord,
        util::Timeout,
    },
};

pub(crate) const STOCK: &str = "stock";

/// For so long brokers may take to answer at the start.
const START: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Taken {
    pub(crate) order: String,
    pub(crate) item: String,
    pub(crate) quantity: u32,
}

/// librdkafka connects in the background, and again by itself; a wrong address would go unnoticed.
pub(crate) async fn config(brokers: &str) -> anyhow::Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    // To be asked for a topic makes it, where the brokers allow that.
    config.set("allow.auto.create.topics", "true");
    let asking: BaseConsumer = config.create()?;
    // rdkafka blocks the thread.
    let answer = spawn_blocking(move || asking.fetch_metadata(Some(STOCK), START).map(drop));
    answer.await?.with_context(|| format!("no connection to Kafka at {brokers}"))?;
    Ok(config)
}

/// The end of the service before.
pub(crate) struct Stock(TracedProducer);

impl Stock {
    pub(crate) async fn open(brokers: &str) -> anyhow::Result<Self> {
        let mut config = config(brokers).await?;
        // Sent at once, not after five milliseconds in which others may come.
        config.set("linger.ms", "0").set("enable.idempotence", "true").set("message.timeout.ms", "30000");
        Ok(Self(TracedProducer::new(config.create()?)))
    }

    pub(crate) async fn send(&self, taken: &Taken) -> anyhow::Result<()> {
        let payload = serde_json::to_string(taken)?;
        let record = FutureRecord::to(STOCK).key(&taken.order).payload(&payload);
        // With the delivery report the span ends.
        self.0.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
        Ok(())
    }
}
