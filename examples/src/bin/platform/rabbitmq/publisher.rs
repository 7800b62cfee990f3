//! Publishing that outlasts a restart of the broker.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};
use traced_rabbitmq::{
    TracedProducer,
    lapin::{BasicProperties, Connection, options::BasicPublishOptions},
};

/// For so long the broker may take to confirm one message.
const CONFIRM: Duration = Duration::from_secs(5);
/// Between two tries.
const WAIT: Duration = Duration::from_millis(500);

pub(crate) struct Publisher {
    url: String,
    connected: Mutex<Connected>,
}

struct Connected {
    connection: Connection,
    producer: TracedProducer,
}

impl Publisher {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let connected = Connected::open(url).await.context("no connection to RabbitMQ")?;
        Ok(Self { url: url.to_owned(), connected: Mutex::new(connected) })
    }

    /// Publishes until the broker has confirmed the message. Each publish has a span, and those that fail say why; while there is no
    /// connection there is only a line on the log.
    pub(crate) async fn publish(&self, exchange: &str, routing_key: &str, payload: &[u8]) {
        while let Err(error) = self.try_once(exchange, routing_key, payload).await {
            tracing::warn!(error = format!("{error:#}"), "{exchange}:{routing_key} is published again");
            sleep(WAIT).await;
        }
    }

    async fn try_once(&self, exchange: &str, routing_key: &str, payload: &[u8]) -> anyhow::Result<()> {
        let producer = self.producer().await?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        // On disk, as the queues are.
        let properties = BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
        let published = async {
            producer
                .publish(exchange.into(), routing_key.into(), options, payload, properties)
                .await? // handed to the broker
                .await // confirmed by the broker: the span ends
        };
        let confirmation = timeout(CONFIRM, published).await.context("the broker did not confirm in time")??;
        if confirmation.is_nack() {
            bail!("the broker did not take the message");
        }
        if let Some(returned) = confirmation.take_message() {
            bail!("no queue takes the message: {}", returned.reply_text);
        }
        Ok(())
    }

    /// All tasks share one connection, and whoever finds it broken opens the next one.
    async fn producer(&self) -> anyhow::Result<TracedProducer> {
        let mut connected = self.connected.lock().await;
        if !connected.is_open() {
            *connected = Connected::open(&self.url).await?;
        }
        Ok(connected.producer.clone())
    }
}

impl Connected {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let (connection, channel) = super::connect(url).await?;
        Ok(Self { connection, producer: TracedProducer::new(channel) })
    }

    fn is_open(&self) -> bool {
        self.connection.status().connected() && self.producer.get_ref().status().connected()
    }
}
