//! Our side of the channel: a connection, subscriptions, and a capture of all spans.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use integration_tests::unique;
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, Client,
    aio::{MultiplexedConnection, PubSub},
};
use serde_json::Value;
use test_brokers::Redis;
use tokio::time::timeout;
use traced_envelope::testing::Capture;
use traced_redis::{Form, TracedConsumer, TracedMessage, TracedProducer};

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Ours {
    pub(crate) capture: Capture,
    broker: Arc<Redis>,
    client: Client,
    connection: MultiplexedConnection,
}

impl Ours {
    pub(crate) async fn connect() -> Result<Self> {
        let broker = Redis::shared().await?;
        let client = Client::open(broker.url())?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Self { capture: Capture::new(), broker, client, connection })
    }

    pub(crate) fn url(&self) -> &str {
        self.broker.url()
    }

    pub(crate) fn channel() -> String {
        format!("python-{}", unique())
    }

    /// Waits until a partner has put something into this list.
    pub(crate) async fn wait_for(&self, list: &str) -> Result<()> {
        // A connection of its own, which the server keeps waiting, and whose time limit is longer than the server's.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let element: Option<(String, String)> = connection.blpop(list, LIMIT.as_secs_f64()).await?;
        element.with_context(|| format!("nothing comes into {list}"))?;
        Ok(())
    }

    /// Publishes as JSON and returns how many received it.
    pub(crate) async fn publish_json(&self, channel: &str, message: &Value) -> Result<usize> {
        let settings = self.capture.settings("shop");
        let mut producer = TracedProducer::with_settings(self.connection.clone(), Form::Binary, &settings);
        Ok(producer.publish_json(channel, message).await?)
    }

    pub(crate) async fn subscribe(&self, channel: &str) -> Result<TracedConsumer<PubSub>> {
        let subscription = self.subscribe_bare(channel).await?;
        Ok(TracedConsumer::with_settings(subscription, &self.capture.settings("warehouse")))
    }

    /// Without any instrumentation.
    pub(crate) async fn subscribe_bare(&self, channel: &str) -> Result<PubSub> {
        let mut subscription = self.client.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        Ok(subscription)
    }
}

/// The subscription's next message.
pub(crate) async fn next(consumer: &mut TracedConsumer<PubSub>) -> Result<TracedMessage> {
    let next = timeout(LIMIT, consumer.next()).await.context("no message comes")?;
    Ok(next.context("the subscription has ended")??)
}

/// The JSON of the next message, as it is on the wire.
pub(crate) async fn next_bare(subscription: &mut PubSub) -> Result<Value> {
    let mut messages = subscription.on_message();
    let next = timeout(LIMIT, messages.next()).await.context("no message comes")?;
    let message = next.context("the subscription has ended")?;
    Ok(serde_json::from_slice(message.get_payload_bytes())?)
}
