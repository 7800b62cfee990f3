//! The service that gets what the warehouse gave up.

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use tokio::{sync::mpsc::Sender, time::sleep};
use traced_rabbitmq::{
    TracedConsumer,
    lapin::{self, Connection},
    opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{TraceContextExt as _, Tracer as _},
    },
};

use crate::{failure::Failure, queues, service::Service};

pub(crate) struct DeadLetters {
    consumer: TracedConsumer,
    tracer: SdkTracer,
    done: Sender<String>,
    _connection: Connection,
}

impl DeadLetters {
    pub(crate) async fn open(url: &str, service: &Service, done: Sender<String>) -> lapin::Result<Self> {
        let (connection, channel) = queues::connect(url).await?;
        let consumer = queues::consume(&channel, queues::DEAD).await?;
        let consumer = TracedConsumer::with_settings(consumer, &service.settings());
        Ok(Self { consumer, tracer: service.tracer(), done, _connection: connection })
    }

    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        while let Some(delivery) = self.consumer.next().await {
            let item = delivery?
                .process_and_settle(async |order| {
                    let span = self.tracer.start("refund customer");
                    refund().with_context(Context::current_with_span(span)).await;
                    Ok::<_, Failure>(String::from_utf8_lossy(&order.data).into_owned())
                })
                .await?;
            self.done.send(format!("dead-letters refunds {item}")).await.ok();
        }
        Ok(())
    }
}

async fn refund() {
    sleep(Duration::from_millis(5)).await; // the bank
}
