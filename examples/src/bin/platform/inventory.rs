//! The service that takes what was ordered out of the stock. What is out of stock goes back into the queue, for another attempt.

use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use tokio::time::sleep;
use traced_rabbitmq::{
    Settings as TracingSettings, TracedConsumer, TracedProducer,
    lapin::{Connection, message::Delivery, options::BasicAckOptions},
};

use crate::{
    failure::Failure,
    order::Order,
    rabbitmq::{self, DEAD, INVENTORY},
    reconnect, service,
    settings::Settings,
    shutdown::Shutdown,
    stock::{Stock, Taken},
};

pub(crate) const NAME: &str = "inventory-worker";
const PORT: u16 = 8083;

const ATTEMPTS: u32 = 3;

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let stock = Stock::open(&settings.kafka_brokers).await?;
    let open = async || Intake::open(&settings.rabbitmq_url).await;
    let work = async |intake: Intake| intake.work(&stock, &shutdown).await;
    let first = open().await.context("no connection to RabbitMQ")?;
    let work = reconnect::work(&shutdown, "RabbitMQ", first, open, work);
    service::run(&settings, Router::new(), shutdown.clone(), work).await
}

struct Intake {
    consumer: TracedConsumer,
    producer: TracedProducer,
    _connection: Connection,
}

impl Intake {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let (connection, channel) = rabbitmq::connect(url).await?;
        let consumer = rabbitmq::consume(&channel, INVENTORY).await?;
        // Without it, `error.type` would be the name of a Rust type.
        let settings = TracingSettings::default().on_error(Failure::kind_of);
        let consumer = TracedConsumer::with_settings(consumer, &settings);
        Ok(Self { consumer, producer: TracedProducer::new(channel), _connection: connection })
    }

    async fn work(mut self, stock: &Stock, shutdown: &Shutdown) -> anyhow::Result<()> {
        while let Some(delivery) = shutdown.or(self.consumer.next()).await {
            let Some(delivery) = delivery else { bail!("the queue is gone") };
            let delivery = delivery?;
            let attempt = delivery.attempt();
            let handled = delivery.process(async |message| self.handle(&message, attempt, stock).await).await;
            // After every other failure the message has gone on, and is acknowledged.
            if let Err(failure @ Failure::Elsewhere(_)) = handled {
                return Err(failure.into());
            }
        }
        Ok(())
    }

    /// Every span in here is a child of the process span. The message is acknowledged last: if this process dies before, the broker has
    /// it still.
    async fn handle(&self, message: &Delivery, attempt: u32, stock: &Stock) -> Result<(), Failure> {
        let Ok(order) = serde_json::from_slice::<Order>(&message.data) else {
            self.send_on(message, ATTEMPTS).await?;
            return Err(Failure::Unreadable);
        };
        if let Err(failure) = reserve(&order, attempt).await {
            self.send_on(message, attempt).await?;
            return Err(failure);
        }
        let taken = Taken { order: order.id.clone(), item: order.item.clone(), quantity: order.quantity };
        stock.send(&taken).await?;
        message.ack(BasicAckOptions::default()).await?;
        // A line on the log has the ids of the trace and of the process span.
        tracing::info!(order = order.id, item = order.item, attempt, "taken out of the stock");
        Ok(())
    }

    /// Back into the queue, or to the dead letters. Both acknowledge the message once the broker has confirmed the copy.
    async fn send_on(&self, message: &Delivery, attempt: u32) -> Result<(), Failure> {
        if attempt < ATTEMPTS {
            self.producer.retry(message, attempt, "".into(), INVENTORY.into()).await?;
        } else {
            self.producer.republish(message, "".into(), DEAD.into()).await?;
        }
        Ok(())
    }
}

/// A span made with `tracing`, whose error becomes the span's status.
#[tracing::instrument(
    name = "reserve stock",
    skip_all,
    err,
    fields(order.id = order.id, order.item = order.item, order.quantity = order.quantity)
)]
async fn reserve(order: &Order, attempt: u32) -> Result<(), Failure> {
    sleep(Duration::from_millis(3)).await; // the warehouse's shelves
    match order.item.as_str() {
        // Somebody fills the shelf in the meantime.
        "tea" if attempt == 1 => Err(Failure::OutOfStock),
        _ => Ok(()),
    }
}
