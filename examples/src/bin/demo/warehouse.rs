//! The hop through RabbitMQ: the service that processes orders, tries again what failed, and gives up after the third attempt. What it
//! has packed goes on to `billing` and `shipping`.

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use tokio::{sync::mpsc::Sender, time::sleep};
use traced_rabbitmq::{
    TracedConsumer, TracedProducer,
    lapin::{
        self, Connection,
        message::Delivery,
        options::{BasicAckOptions, QueueBindOptions},
        types::FieldTable,
    },
    opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{TraceContextExt as _, Tracer as _},
    },
};
use tracing::{Dispatch, instrument::WithSubscriber as _};

use crate::{billing::Jobs, failure::Failure, queues, service::Service, shipping::Parcels};

const ATTEMPTS: u32 = 3;

pub(crate) struct Warehouse {
    consumer: TracedConsumer,
    worker: Worker,
    subscriber: Dispatch,
    _connection: Connection,
}

struct Worker {
    producer: TracedProducer,
    jobs: Jobs,
    parcels: Parcels,
    tracer: SdkTracer,
    done: Sender<String>,
}

impl Warehouse {
    pub(crate) async fn open(
        url: &str,
        service: &Service,
        jobs: Jobs,
        parcels: Parcels,
        done: Sender<String>,
    ) -> lapin::Result<Self> {
        let (connection, channel) = queues::connect(url).await?;
        queues::declare_exchange(&channel).await?;
        let consumer = queues::consume(&channel, queues::STOCK).await?;
        let (queue, exchange, routing_key) = (queues::STOCK.into(), queues::EXCHANGE.into(), queues::CREATED.into());
        channel.queue_bind(queue, exchange, routing_key, QueueBindOptions::default(), FieldTable::default()).await?;

        let settings = service.settings();
        let consumer = TracedConsumer::with_settings(consumer, &settings);
        let producer = TracedProducer::with_settings(channel, &settings);
        let worker = Worker { producer, jobs, parcels, tracer: service.tracer(), done };
        Ok(Self { consumer, worker, subscriber: service.subscriber(), _connection: connection })
    }

    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        while let Some(delivery) = self.consumer.next().await {
            let delivery = delivery?;
            let attempt = delivery.attempt();
            let processed = delivery
                .process(async |order| self.worker.handle(order, attempt).await)
                .with_subscriber(self.subscriber.clone())
                .await;
            match processed {
                Ok(item) => self.worker.report(format!("warehouse packs {item}")).await,
                Err(Failure::OutOfStock) if attempt < ATTEMPTS => {
                    println!("demo: warehouse, attempt {attempt}: out of stock")
                }
                Err(Failure::OutOfStock) => {
                    self.worker.report(format!("warehouse gives up at attempt {attempt}")).await
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

impl Worker {
    /// Every span in here is a child of the process span. An order that fails is sent on before the message is let go of.
    async fn handle(&self, order: Delivery, attempt: u32) -> Result<String, Failure> {
        let item = String::from_utf8_lossy(&order.data).into_owned();
        if let Err(failure) = reserve(&item, attempt).await {
            self.send_on(&order, attempt).await?;
            return Err(failure);
        }
        // A span made with OpenTelemetry itself.
        pack().with_context(Context::current_with_span(self.tracer.start("pack parcel"))).await;
        self.jobs.push(&item).await?;
        self.parcels.send(&item).await?;
        order.ack(BasicAckOptions::default()).await?;
        Ok(item)
    }

    async fn report(&self, outcome: String) {
        // Nobody listens any more when the demo has ended.
        self.done.send(outcome).await.ok();
    }

    /// Back into the queue, or to the dead letters. Both acknowledge the message once the broker has confirmed the copy.
    async fn send_on(&self, order: &Delivery, attempt: u32) -> Result<(), Failure> {
        if attempt < ATTEMPTS {
            self.producer.retry(order, attempt, "".into(), queues::STOCK.into()).await?;
        } else {
            self.producer.republish(order, "".into(), queues::DEAD.into()).await?;
        }
        Ok(())
    }
}

/// A span made with `tracing`, whose error becomes the span's status.
#[tracing::instrument(name = "reserve stock", skip(attempt), err)]
async fn reserve(item: &str, attempt: u32) -> Result<(), Failure> {
    sleep(Duration::from_millis(3)).await; // the database
    match item {
        // Somebody fills the shelf in the meantime.
        "tea" if attempt == 1 => Err(Failure::OutOfStock),
        "saffron" => Err(Failure::OutOfStock),
        _ => Ok(()),
    }
}

async fn pack() {
    sleep(Duration::from_millis(6)).await;
}
