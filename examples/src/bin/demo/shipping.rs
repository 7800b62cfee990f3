//! The hop through Kafka: the warehouse sends what it has packed, the service `shipping` books a courier for it. What is booked goes on
//! to `notifier`.

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use tokio::{sync::mpsc::Sender, time::sleep};
use traced_kafka::{
    TracedConsumer, TracedProducer,
    opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{TraceContextExt as _, Tracer as _},
    },
    rdkafka::{
        consumer::StreamConsumer,
        message::{BorrowedMessage, Message as _},
        producer::FutureRecord,
        util::Timeout,
    },
};

use crate::{
    cluster::{Cluster, PARTITION},
    failure::Failure,
    notifier::Shipments,
    service::Service,
};

pub(crate) const PARCELS: &str = "parcels";

/// The end of the service before.
pub(crate) struct Parcels(TracedProducer);

impl Parcels {
    pub(crate) fn open(cluster: &Cluster, service: &Service) -> anyhow::Result<Self> {
        Ok(Self(TracedProducer::with_settings(cluster.config().create()?, &service.settings())))
    }

    pub(crate) async fn send(&self, item: &str) -> Result<(), Failure> {
        let record = FutureRecord::to(PARCELS).partition(PARTITION).key(item).payload(item);
        // With the delivery report the span ends.
        self.0.send(record, Timeout::Never).await.map(drop).map_err(|(error, _)| error.into())
    }
}

pub(crate) struct Shipping {
    consumer: TracedConsumer<StreamConsumer>,
    shipments: Shipments,
    tracer: SdkTracer,
    done: Sender<String>,
}

impl Shipping {
    pub(crate) async fn open(
        cluster: &Cluster,
        service: &Service,
        shipments: Shipments,
        done: Sender<String>,
    ) -> anyhow::Result<Self> {
        cluster.create_topic(PARCELS).await?;
        let consumer = TracedConsumer::with_settings(cluster.consume(PARCELS)?, &service.settings());
        Ok(Self { consumer, shipments, tracer: service.tracer(), done })
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        loop {
            let message = self.consumer.recv().await?;
            let item = message.process(async |parcel| self.ship(&parcel).await).await?;
            self.done.send(format!("shipping books a courier for {item}")).await.ok();
        }
    }

    /// Every span in here is a child of the process span.
    async fn ship(&self, parcel: &BorrowedMessage<'_>) -> Result<String, Failure> {
        let span = self.tracer.start("book courier");
        book().with_context(Context::current_with_span(span)).await;
        let item = String::from_utf8_lossy(parcel.payload().unwrap_or_default()).into_owned();
        self.shipments.publish(&item).await?;
        Ok(item)
    }
}

async fn book() {
    sleep(Duration::from_millis(4)).await; // the courier's API
}
