//! Channels: publish and subscribe.

use super::Around;
use crate::unique::unique;
use crate::{Ability, Arrived, Payload, Settle, Spans, Transport};
use anyhow::{Context as _, Result, ensure};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client};
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use test_brokers::Redis;
use traced_envelope::Settings;
use traced_redis::{AcceptedForms, Form, Message, TracedConsumer, TracedMessage, TracedProducer};

/// redis waits half a second for an answer, which is not enough on a machine where all tests run at once.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection to Redis, and a channel, whose messages are binary frames.
#[derive(Clone)]
pub struct PubSubTransport {
    broker: Arc<Redis>,
    client: Client,
    connection: MultiplexedConnection,
    channel: String,
}

impl PubSubTransport {
    async fn on(broker: Arc<Redis>, channel: String) -> Result<Self> {
        let client = Client::open(broker.url())?;
        let config =
            AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER)).set_connection_timeout(Some(ANSWER));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Self { broker, client, connection, channel })
    }
}

impl Debug for PubSubTransport {
    /// redis' connections have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("PubSubTransport");
        shown.field("broker", &self.broker).field("channel", &self.channel).finish_non_exhaustive()
    }
}

fn arrived(message: &Message) -> Arrived<Around> {
    Arrived { payload: message.payload().to_vec(), native: Around::of(message.get_ref().get_payload_bytes()) }
}

impl Transport for PubSubTransport {
    const NAME: &'static str = "traced-redis";
    const SYSTEM: &'static str = "redis";
    const LACKS: &'static [(Ability, &'static str)] = &[
        (Ability::ExistingContext, "what is published is a payload, which has no context before it gets its envelope"),
        (Ability::Pull, "messages are pushed: none can be asked for"),
        (Ability::Redeliver, "a message is delivered once, whatever becomes of it"),
        (Ability::Republish, "what is published again is a message of its own"),
        (Ability::Restart, "a message is for those who are subscribed in that moment, and is not kept"),
    ];

    type Native = Around;
    type Producer = TracedProducer<MultiplexedConnection>;
    type Consumer = TracedConsumer<PubSub>;
    type Delivery = TracedMessage;

    async fn shared() -> Result<Self> {
        Self::on(Redis::shared().await?, format!("orders-{}", unique())).await
    }

    async fn own() -> Result<Self> {
        Self::on(Arc::new(Redis::start().await?), format!("orders-{}", unique())).await
    }

    async fn reconnect(&self) -> Result<Self> {
        Self::on(Arc::clone(&self.broker), self.channel.clone()).await
    }

    async fn restart(&self) -> Result<()> {
        self.broker.restart().await
    }

    fn describe(&self) -> String {
        self.broker.describe().to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (test_brokers::REDIS.url_variable, self.broker.url().to_owned())
    }

    fn spans(&self) -> Spans {
        let channel = &self.channel;
        Spans {
            publish: format!("publish {channel}"),
            create: format!("create {channel}"),
            process: format!("process {channel}"),
            published_to: channel.clone(),
            consumed_from: channel.clone(),
        }
    }

    fn plain() -> Around {
        Around::default()
    }

    /// A message has nothing but its payload.
    fn rich() -> Around {
        Around::default()
    }

    fn with_headers(native: Around, added: &[(&str, &str)]) -> Around {
        native.with(added)
    }

    fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, Around)> {
        Around::foreign(added)
    }

    fn malformed() -> Vec<(&'static str, Around)> {
        Around::malformed()
    }

    fn conflicting() -> Vec<(&'static str, Around)> {
        Around::conflicting()
    }

    fn header(native: &Around, name: &str) -> Vec<String> {
        native.values(name)
    }

    fn without(native: &Around, names: &[&str]) -> Around {
        native.without(names)
    }

    fn producer(&self, settings: &Settings) -> Self::Producer {
        TracedProducer::with_settings(self.connection.clone(), Form::Binary, settings)
    }

    async fn publish(&self, producer: &Self::Producer, payload: &[u8], native: Around) -> Result<()> {
        ensure!(native == Around::default(), "nothing can be given along: {native:?}");
        producer.clone().publish(&self.channel, payload).await?;
        Ok(())
    }

    async fn publish_batch(&self, producer: &Self::Producer, messages: Vec<Payload<Around>>) -> Result<()> {
        let mut producer = producer.clone();
        let sent = producer.pipeline(|pipeline| {
            for (payload, _) in &messages {
                pipeline.publish(&self.channel, payload);
            }
        });
        let receivers: Vec<usize> = sent.await?;
        ensure!(receivers.len() == messages.len(), "{receivers:?}");
        Ok(())
    }

    async fn publish_bare(&self, payload: &[u8], native: Around) -> Result<()> {
        let receivers: usize = self.connection.clone().publish(&self.channel, native.around(payload)).await?;
        ensure!(receivers > 0, "nobody is subscribed");
        Ok(())
    }

    async fn consumer(&self, settings: &Settings) -> Result<Self::Consumer> {
        let mut subscription = self.client.get_async_pubsub().await?;
        subscription.subscribe(&self.channel).await?;
        // CloudEvents too, which are the application's own unless it says so.
        let settings = settings.clone().accept_forms(AcceptedForms::all());
        Ok(TracedConsumer::with_settings(subscription, &settings))
    }

    async fn next(consumer: &mut Self::Consumer) -> Result<TracedMessage> {
        Ok(consumer.next().await.context("the subscription has ended")??)
    }

    async fn close(&self, mut consumer: Self::Consumer) -> Result<()> {
        Ok(consumer.get_mut().unsubscribe(&self.channel).await?)
    }

    fn process<H, F, R, E>(
        delivery: TracedMessage,
        _afterwards: Settle,
        handler: H,
    ) -> impl Future<Output = Result<R, E>> + Send
    where
        H: FnOnce(Arrived<Around>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Send + 'static,
    {
        delivery.process(async move |message: Message| handler(arrived(&message)).await)
    }

    async fn process_batch<H, F, R, E>(
        consumer: &Self::Consumer,
        deliveries: Vec<TracedMessage>,
        handler: H,
    ) -> Result<R>
    where
        H: FnOnce(Vec<Arrived<Around>>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Debug + Send + Sync + 'static,
    {
        let processed = consumer.process_batch(deliveries, async move |messages: Vec<Message>| {
            handler(messages.iter().map(arrived).collect()).await
        });
        processed.await.map_err(|error| anyhow::anyhow!("{error}"))
    }
}
