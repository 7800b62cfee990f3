//! Our side of the queue: a channel, queues of their own, and a capture of all spans.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::unique;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use opentelemetry::trace::SpanKind;
use test_brokers::RabbitMq;
use tokio::time::timeout;
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_rabbitmq::{TracedConsumer, TracedDelivery, TracedProducer};

use crate::context::span_of;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Ours {
    pub(crate) capture: Capture,
    broker: Arc<RabbitMq>,
    channel: Channel,
}

impl Ours {
    pub(crate) async fn connect() -> Result<Self> {
        let broker = RabbitMq::shared().await?;
        let connection = Connection::connect(broker.url(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { capture: Capture::new(), broker, channel })
    }

    pub(crate) fn url(&self) -> &str {
        self.broker.url()
    }

    /// Declares a queue that both sides can use; a broker that was not started by the test is rid of it a while later.
    pub(crate) async fn queue(&self) -> Result<ShortString> {
        let name = format!("python-{}", unique());
        let expires = BTreeMap::from([("x-expires".into(), AMQPValue::LongInt(300_000))]);
        let options = QueueDeclareOptions::default();
        self.channel.queue_declare(name.as_str().into(), options, FieldTable::from(expires)).await?;
        Ok(name.into())
    }

    pub(crate) async fn publish(&self, queue: &ShortString) -> Result<()> {
        let producer = TracedProducer::with_settings(self.channel.clone(), &self.capture.settings("shop"));
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm = producer.publish("".into(), queue.clone(), options, b"from Rust", properties).await?;
        ensure!(confirm.await?.is_ack(), "not taken");
        Ok(())
    }

    /// The next message of the queue.
    pub(crate) async fn next(&self, queue: &ShortString) -> Result<TracedDelivery> {
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = self.channel.basic_consume(queue.clone(), "".into(), options, none).await?;
        let mut consumer = TracedConsumer::with_settings(consumer, &self.capture.settings("warehouse"));
        let next = timeout(LIMIT, consumer.next()).await.context("no message comes")?;
        Ok(next.context("the consumer was cancelled")??)
    }

    /// The headers of the message that waits in the queue, as they are on the wire.
    pub(crate) async fn waiting(&self, queue: &ShortString) -> Result<BTreeMap<String, String>> {
        let options = BasicGetOptions { no_ack: true };
        let message: Option<BasicGetMessage> = self.channel.basic_get(queue.clone(), options).await?;
        headers(message.context("the queue is empty")?.delivery.properties.headers().as_ref())
    }

    /// The one span of this kind that we made.
    pub(crate) fn span(&self, kind: &SpanKind) -> Result<CapturedSpan> {
        span_of(&self.capture, kind)
    }
}

/// All headers, which must be long strings.
pub(crate) fn headers(table: Option<&FieldTable>) -> Result<BTreeMap<String, String>> {
    let table = table.context("no headers")?;
    let texts = table.inner().iter().map(|(name, value)| match value {
        AMQPValue::LongString(text) => Ok((name.as_str().to_owned(), text.to_string())),
        _ => bail!("{name} is no long string: {value:?}"),
    });
    texts.collect()
}
