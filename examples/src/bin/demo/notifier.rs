//! The hop through Redis: shipping publishes what it has booked a courier for, the service `notifier` tells the customer.

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use tokio::{sync::mpsc::Sender, time::sleep};
use traced_redis::{
    Form, Message, TracedConsumer, TracedProducer,
    opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{TraceContextExt as _, Tracer as _},
    },
    redis::{
        Client, RedisResult,
        aio::{MultiplexedConnection, PubSub},
    },
};

use crate::{failure::Failure, service::Service};

pub(crate) const SHIPPED: &str = "shipped";

/// The end of the service before.
pub(crate) struct Shipments(TracedProducer<MultiplexedConnection>);

impl Shipments {
    pub(crate) async fn open(url: &str, service: &Service) -> RedisResult<Self> {
        let connection = Client::open(url)?.get_multiplexed_async_connection().await?;
        Ok(Self(TracedProducer::with_settings(connection, Form::Binary, &service.settings())))
    }

    pub(crate) async fn publish(&self, item: &str) -> Result<(), Failure> {
        let mut producer = self.0.clone(); // of the same connection
        // With the number of receivers the span ends.
        producer.publish(SHIPPED, item).await?;
        Ok(())
    }
}

pub(crate) struct Notifier {
    consumer: TracedConsumer<PubSub>,
    tracer: SdkTracer,
    done: Sender<String>,
}

impl Notifier {
    pub(crate) async fn open(url: &str, service: &Service, done: Sender<String>) -> RedisResult<Self> {
        let mut subscription = Client::open(url)?.get_async_pubsub().await?;
        subscription.subscribe(SHIPPED).await?;
        let consumer = TracedConsumer::with_settings(subscription, &service.settings());
        Ok(Self { consumer, tracer: service.tracer(), done })
    }

    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        while let Some(message) = self.consumer.next().await {
            let item = message?.process(async |shipment| self.tell(&shipment).await).await?;
            self.done.send(format!("notifier tells the customer of {item}")).await.ok();
        }
        Ok(())
    }

    /// Every span in here is a child of the process span.
    async fn tell(&self, shipment: &Message) -> Result<String, Failure> {
        let span = self.tracer.start("notify customer");
        notify().with_context(Context::current_with_span(span)).await;
        Ok(String::from_utf8_lossy(shipment.payload()).into_owned())
    }
}

async fn notify() {
    sleep(Duration::from_millis(3)).await; // the telephone company
}
