//! RabbitMQ through `traced-rabbitmq`.

mod headers;

use crate::unique::unique;
use crate::{Ability, Arrived, Payload, Settle, Spans, Transport};
use anyhow::{Context as _, Result, ensure};
use headers::table;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::sync::Arc;
use test_brokers::RabbitMq;
use traced_envelope::Settings;
use traced_rabbitmq::{BatchMessage, PullConsumer, TracedConsumer, TracedDelivery, TracedProducer};

const ROUTING_KEY: &str = "order.created";

/// A connection to RabbitMQ, a channel with publisher confirms, an exchange and a queue bound to it.
#[derive(Clone, Debug)]
pub struct RabbitMqTransport {
    broker: Arc<RabbitMq>,
    // Held: dropped, it is closed.
    _connection: Arc<Connection>,
    channel: Channel,
    exchange: String,
    queue: String,
}

impl RabbitMqTransport {
    async fn on(broker: Arc<RabbitMq>, id: &str) -> Result<Self> {
        let connection = Connection::connect(broker.url(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (exchange, queue) = (format!("orders-{id}"), format!("inventory-{id}"));
        let options = ExchangeDeclareOptions { durable: true, auto_delete: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Topic;
        channel.exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default()).await?;
        // It removes itself, with its exchange: the broker may be somebody's own, given by its address.
        let arguments = table([("x-expires", AMQPValue::LongInt(600_000))]);
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.as_str().into(), options, arguments).await?;
        channel
            .queue_bind(
                queue.as_str().into(),
                exchange.as_str().into(),
                ROUTING_KEY.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
        Ok(Self { broker, _connection: Arc::new(connection), channel, exchange, queue })
    }
}

async fn settle(delivery: &Delivery, settle: Settle) {
    // What cannot be settled, because the connection is gone, is delivered again.
    let _ = match settle {
        Settle::Done => delivery.ack(BasicAckOptions::default()).await,
        Settle::Again => delivery.nack(BasicNackOptions { requeue: true, multiple: false }).await,
    };
}

fn arrived(delivery: &Delivery) -> Arrived<BasicProperties> {
    Arrived { payload: delivery.data.clone(), native: delivery.properties.clone() }
}

impl Transport for RabbitMqTransport {
    const NAME: &'static str = "traced-rabbitmq";
    const SYSTEM: &'static str = "rabbitmq";
    const LACKS: &'static [(Ability, &'static str)] = &[];

    type Native = BasicProperties;
    type Producer = TracedProducer;
    type Consumer = TracedConsumer;
    type Delivery = TracedDelivery;

    async fn shared() -> Result<Self> {
        Self::on(RabbitMq::shared().await?, &unique()).await
    }

    async fn own() -> Result<Self> {
        Self::on(Arc::new(RabbitMq::start().await?), &unique()).await
    }

    async fn reconnect(&self) -> Result<Self> {
        let id = self.queue.strip_prefix("inventory-").context("the queue's name")?;
        Self::on(Arc::clone(&self.broker), id).await
    }

    async fn restart(&self) -> Result<()> {
        self.broker.restart().await
    }

    fn describe(&self) -> String {
        self.broker.describe().to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (test_brokers::RABBITMQ.url_variable, self.broker.url().to_owned())
    }

    fn spans(&self) -> Spans {
        let published_to = format!("{}:{ROUTING_KEY}", self.exchange);
        let consumed_from = format!("{published_to}:{}", self.queue);
        Spans {
            publish: format!("publish {published_to}"),
            create: format!("create {published_to}"),
            process: format!("process {consumed_from}"),
            published_to,
            consumed_from,
        }
    }

    fn plain() -> BasicProperties {
        BasicProperties::default().with_delivery_mode(2)
    }

    fn rich() -> BasicProperties {
        headers::rich()
    }

    fn with_headers(native: BasicProperties, added: &[(&str, &str)]) -> BasicProperties {
        headers::with(native, added.iter().map(|(name, value)| (*name, headers::text(value))))
    }

    fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, BasicProperties)> {
        headers::foreign(added)
    }

    fn malformed() -> Vec<(&'static str, BasicProperties)> {
        headers::malformed()
    }

    fn header(native: &BasicProperties, name: &str) -> Vec<String> {
        headers::values(native, name)
    }

    fn without(native: &BasicProperties, names: &[&str]) -> BasicProperties {
        headers::without(native, names)
    }

    fn producer(&self, settings: &Settings) -> TracedProducer {
        TracedProducer::with_settings(self.channel.clone(), settings)
    }

    async fn publish(&self, producer: &TracedProducer, payload: &[u8], native: BasicProperties) -> Result<()> {
        // As mandatory: what no queue takes would come back.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (self.exchange.as_str().into(), ROUTING_KEY.into());
        let answer = producer.publish(exchange, key, options, payload, native).await?.await?;
        ensure!(matches!(answer, lapin::Confirmation::Ack(None)), "{answer:?}");
        Ok(())
    }

    async fn publish_batch(&self, producer: &TracedProducer, messages: Vec<Payload<BasicProperties>>) -> Result<()> {
        let messages = messages.iter().map(|(payload, native)| BatchMessage {
            exchange: self.exchange.as_str().into(),
            routing_key: ROUTING_KEY.into(),
            options: BasicPublishOptions::default(),
            payload,
            properties: native.clone(),
        });
        let answers = producer.publish_batch(messages.collect::<Vec<_>>()).await?;
        ensure!(answers.iter().all(lapin::Confirmation::is_ack), "{answers:?}");
        Ok(())
    }

    async fn publish_bare(&self, payload: &[u8], native: BasicProperties) -> Result<()> {
        let (exchange, key) = (self.exchange.as_str().into(), ROUTING_KEY.into());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let answer = self.channel.basic_publish(exchange, key, options, payload, native).await?.await?;
        ensure!(matches!(answer, lapin::Confirmation::Ack(None)), "{answer:?}");
        Ok(())
    }

    async fn consumer(&self, settings: &Settings) -> Result<TracedConsumer> {
        let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
        let consumer = self.channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
        Ok(TracedConsumer::with_settings(consumer, settings))
    }

    async fn next(consumer: &mut TracedConsumer) -> Result<TracedDelivery> {
        Ok(consumer.next().await.context("the stream has ended")??)
    }

    async fn close(&self, consumer: TracedConsumer) -> Result<()> {
        // Dropped, lapin's consumer is cancelled too, but some time later.
        let tag = consumer.get_ref().tag();
        Ok(self.channel.basic_cancel(tag, BasicCancelOptions::default()).await?)
    }

    async fn pull(&self, settings: &Settings) -> Result<TracedDelivery> {
        let consumer = PullConsumer::with_settings(self.channel.clone(), settings);
        consumer.basic_get(self.queue.as_str().into(), BasicGetOptions::default()).await?.context("the queue is empty")
    }

    fn process<H, F, R, E>(
        delivery: TracedDelivery,
        afterwards: Settle,
        handler: H,
    ) -> impl Future<Output = Result<R, E>> + Send
    where
        H: FnOnce(Arrived<BasicProperties>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Send + 'static,
    {
        delivery.process(async move |delivery: Delivery| {
            let result = handler(arrived(&delivery)).await;
            settle(&delivery, afterwards).await;
            result
        })
    }

    async fn process_batch<H, F, R, E>(
        consumer: &TracedConsumer,
        deliveries: Vec<TracedDelivery>,
        handler: H,
    ) -> Result<R>
    where
        H: FnOnce(Vec<Arrived<BasicProperties>>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Debug + Send + Sync + 'static,
    {
        let processed = consumer.process_batch(deliveries, async move |deliveries: Vec<Delivery>| {
            let result = handler(deliveries.iter().map(arrived).collect()).await;
            for delivery in &deliveries {
                settle(delivery, Settle::Done).await;
            }
            result
        });
        processed.await.map_err(|error| anyhow::anyhow!("{error}"))
    }

    async fn republish(&self, producer: &TracedProducer, delivery: TracedDelivery) -> Result<()> {
        let (producer, exchange) = (producer.clone(), self.exchange.clone());
        delivery
            .process(async move |delivery: Delivery| {
                producer.republish(&delivery, exchange.as_str().into(), ROUTING_KEY.into()).await
            })
            .await?;
        Ok(())
    }
}
