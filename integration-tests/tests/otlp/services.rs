//! Two services with providers of their own, and a queue between them.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use test_brokers::RabbitMq;
use test_collector::Signal;
use tokio::time::timeout;
use traced_rabbitmq::{BatchMessage, Settings, TracedConsumer, TracedDelivery, TracedProducer};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// How long an exporter waits for its collector: a message that waits for one is late.
const EXPORT_LIMIT: Duration = Duration::from_secs(60);

/// Spans that may wait for export: far less than the tests make, so that a dead collector's queue is full.
const WAITING_SPANS: usize = 64;

/// As an application sets it up: batches, sent over OTLP.
pub(crate) fn provider(service: &'static str, endpoint: &str) -> Result<SdkTracerProvider> {
    // As an application does whose HTTP client brings none: with all of the workspace's features on, reqwest's leaves it open.
    rustls::crypto::ring::default_provider().install_default().ok();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(format!("{endpoint}{}", Signal::Traces.path()))
        .with_timeout(EXPORT_LIMIT)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING_SPANS)
        .with_max_export_batch_size(16)
        .with_scheduled_delay(Duration::from_millis(10))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::AlwaysOn)
        .with_resource(Resource::builder_empty().with_service_name(service).build())
        .build())
}

/// Sends what waits, and ends the provider; off the runtime, since it blocks.
pub(crate) async fn shut_down(provider: &SdkTracerProvider, limit: Duration) -> Result<()> {
    let provider = provider.clone();
    Ok(tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit)).await??)
}

/// An exchange and a queue that go with the test's connection.
pub(crate) struct Services {
    pub(crate) exchange: String,
    pub(crate) queue: String,
    connection: Connection,
    channel: Channel,
    _broker: Arc<RabbitMq>,
}

impl Services {
    pub(crate) async fn connect() -> Result<Self> {
        let broker = RabbitMq::shared().await?;
        let connection = Connection::connect(broker.url(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;

        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let (exchange, queue) = (format!("orders-{now}"), format!("inventory-{now}"));
        let auto_delete = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
        let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let none = FieldTable::default;
        channel.exchange_declare(exchange.as_str().into(), ExchangeKind::Direct, auto_delete, none()).await?;
        channel.queue_declare(queue.as_str().into(), exclusive, none()).await?;
        let (to, from) = (queue.as_str().into(), exchange.as_str().into());
        channel.queue_bind(to, from, "order.created".into(), QueueBindOptions::default(), none()).await?;
        Ok(Self { exchange, queue, connection, channel, _broker: broker })
    }

    pub(crate) async fn publish(&self, settings: &Settings, payload: &[u8]) -> Result<()> {
        let producer = TracedProducer::with_settings(self.channel.clone(), settings);
        let (exchange, routing_key) = (self.exchange.as_str().into(), "order.created".into());
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm = producer.publish(exchange, routing_key, options, payload, properties).await?;
        ensure!(confirm.await?.is_ack(), "not taken");
        Ok(())
    }

    pub(crate) async fn publish_batch(&self, settings: &Settings, payloads: [&[u8]; 2]) -> Result<()> {
        let messages = payloads.map(|payload| BatchMessage {
            exchange: self.exchange.as_str().into(),
            routing_key: "order.created".into(),
            options: BasicPublishOptions::default(),
            payload,
            properties: BasicProperties::default(),
        });
        let producer = TracedProducer::with_settings(self.channel.clone(), settings);
        ensure!(producer.publish_batch(messages).await?.iter().all(|confirmation| confirmation.is_ack()), "not taken");
        Ok(())
    }

    pub(crate) async fn consumer(&self, settings: &Settings) -> Result<TracedConsumer> {
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = self.channel.basic_consume(self.queue.as_str().into(), "".into(), options, none).await?;
        Ok(TracedConsumer::with_settings(consumer, settings))
    }

    /// Publishes messages one after the other, processes and acknowledges each; returns how long that took.
    pub(crate) async fn exchange(&self, shop: &Settings, warehouse: &Settings, messages: u32) -> Result<Duration> {
        let start = Instant::now();
        let mut consumer = self.consumer(warehouse).await?;
        for number in 0..messages {
            let payload = number.to_be_bytes();
            timeout(LIMIT, self.publish(shop, &payload)).await.context("publishing hangs")??;
            let handler = async |delivery: lapin::message::Delivery| {
                ensure!(delivery.data == payload && !delivery.redelivered, "another message");
                Ok(())
            };
            next(&mut consumer).await?.process_and_settle(handler).await?;
            // What blocks the thread blocks its timeouts, too.
            ensure!(start.elapsed() < LIMIT, "message {number} was held up");
        }
        Ok(start.elapsed())
    }

    /// Whether the broker has no message left. Closing the channel puts back what was not acknowledged.
    pub(crate) async fn left_nothing(&self) -> Result<bool> {
        self.channel.close(200, "done".into()).await?;
        let channel = self.connection.create_channel().await?;
        let passive = QueueDeclareOptions { passive: true, exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(self.queue.as_str().into(), passive, FieldTable::default()).await?;
        Ok(queue.message_count() == 0)
    }
}

pub(crate) async fn next(consumer: &mut TracedConsumer) -> Result<TracedDelivery> {
    let next = timeout(LIMIT, consumer.next()).await.context("no message comes")?;
    Ok(next.context("the consumer was cancelled")??)
}
