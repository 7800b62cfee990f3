//! What every test starts with: a channel of its own, queues of its own, a capture.

use std::future::Future;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind, PublisherConfirm,
};
use test_brokers::RabbitMq;
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_rabbitmq::{Settings, TracedConsumer, TracedDelivery, TracedProducer};

/// Longer than a busy machine needs; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the broker that the tests share. Its queues go away with it.
pub(crate) struct Rabbit {
    pub(crate) capture: Capture,
    pub(crate) channel: Channel,
    pub(crate) connection: Connection,
    /// Last, so that the broker outlives its clients.
    _server: Option<Arc<RabbitMq>>,
}

impl Rabbit {
    pub(crate) async fn new() -> Result<Self> {
        let server = RabbitMq::shared().await?;
        let rabbit = Self::connect(server.url(), ConnectionProperties::default()).await?;
        Ok(Self { _server: Some(server), ..rabbit })
    }

    pub(crate) async fn connect(url: &str, properties: ConnectionProperties) -> Result<Self> {
        let connection = soon(Connection::connect(url, properties)).await??;
        let channel = confirming(&connection).await?;
        Ok(Self { capture: Capture::new(), channel, connection, _server: None })
    }

    /// Settings of the service that publishes.
    pub(crate) fn shop(&self) -> Settings {
        self.capture.settings("shop")
    }

    /// Settings of the service that consumes.
    pub(crate) fn warehouse(&self) -> Settings {
        self.capture.settings("warehouse")
    }

    pub(crate) fn producer(&self) -> TracedProducer {
        TracedProducer::with_settings(self.channel.clone(), &self.shop())
    }

    /// A second channel of the connection, with confirms.
    pub(crate) async fn another_channel(&self) -> Result<Channel> {
        confirming(&self.connection).await
    }

    pub(crate) async fn queue(&self) -> Result<ShortString> {
        self.queue_with([]).await
    }

    /// Exclusive: it goes away with the connection.
    pub(crate) async fn queue_with<const N: usize>(&self, arguments: [(&str, AMQPValue); N]) -> Result<ShortString> {
        self.queue_named(unique("orders"), arguments).await
    }

    pub(crate) async fn queue_named<const N: usize>(
        &self,
        name: ShortString,
        arguments: [(&str, AMQPValue); N],
    ) -> Result<ShortString> {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(name, options, table(arguments)).await?;
        Ok(queue.name().clone())
    }

    /// An exchange, to which the queue is bound with the key.
    pub(crate) async fn exchange(&self, kind: ExchangeKind, queue: &ShortString, key: &str) -> Result<ShortString> {
        let exchange = unique("shop");
        let options = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
        self.channel.exchange_declare(exchange.clone(), kind, options, FieldTable::default()).await?;
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        self.channel.queue_bind(queue.clone(), exchange.clone(), key.into(), options, arguments).await?;
        Ok(exchange)
    }

    pub(crate) async fn consume(&self, queue: &ShortString) -> Result<Consumer> {
        consume(&self.channel, queue).await
    }

    pub(crate) async fn consumer(&self, queue: &ShortString) -> Result<TracedConsumer> {
        Ok(TracedConsumer::with_settings(self.consume(queue).await?, &self.warehouse()))
    }

    /// A message from a publisher that knows nothing of tracing.
    pub(crate) async fn publish_bare(&self, queue: &ShortString, properties: BasicProperties) -> Result<()> {
        let answer = soon(bare(&self.channel, "", queue.as_str(), properties).await?).await??;
        anyhow::ensure!(answer == Confirmation::Ack(None), "{answer:?}");
        Ok(())
    }

    /// A message from the traced publisher, confirmed.
    pub(crate) async fn publish(&self, queue: &ShortString) -> Result<()> {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm = self.producer().publish("".into(), queue.clone(), options, b"7", properties).await?;
        anyhow::ensure!(soon(confirm).await?? == Confirmation::Ack(None), "not routed to {queue}");
        Ok(())
    }

    /// What waits in the queue, as bare lapin shows it.
    pub(crate) async fn pull(&self, queue: &ShortString) -> Result<Option<BasicGetMessage>> {
        Ok(soon(self.channel.basic_get(queue.clone(), BasicGetOptions { no_ack: true })).await??)
    }

    /// The headers of the message that waits in the queue.
    pub(crate) async fn headers(&self, queue: &ShortString) -> Result<FieldTable> {
        let message = self.pull(queue).await?.context("the queue is empty")?;
        Ok(message.delivery.properties.headers().clone().unwrap_or_default())
    }
}

pub(crate) async fn confirming(connection: &Connection) -> Result<Channel> {
    let channel = soon(connection.create_channel()).await??;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

pub(crate) async fn consume(channel: &Channel, queue: &ShortString) -> Result<Consumer> {
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    Ok(channel.basic_consume(queue.clone(), "".into(), options, arguments).await?)
}

/// lapin's own publishing.
pub(crate) async fn bare(
    channel: &Channel,
    exchange: &str,
    routing_key: &str,
    properties: BasicProperties,
) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions::default();
    channel.basic_publish(exchange.into(), routing_key.into(), options, b"7", properties).await
}

/// The consumer's next message.
pub(crate) async fn next(consumer: &mut TracedConsumer) -> Result<TracedDelivery> {
    Ok(soon(consumer.next()).await?.context("the stream has ended")??)
}

/// Waits, but not for ever.
pub(crate) async fn soon<F: Future>(future: F) -> Result<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.context("nothing happened for a long time")
}

/// A name that nobody else on the broker has.
pub(crate) fn unique(name: &str) -> ShortString {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{name}.{}.{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).into()
}

pub(crate) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Properties with these headers.
pub(crate) fn with_headers<'a>(entries: impl IntoIterator<Item = (&'a str, AMQPValue)>) -> BasicProperties {
    BasicProperties::default().with_headers(table(entries))
}

/// The attribute's text, whatever its type.
pub(crate) fn attribute(span: &CapturedSpan, key: &str) -> Option<String> {
    span.attribute(key).map(ToString::to_string)
}
