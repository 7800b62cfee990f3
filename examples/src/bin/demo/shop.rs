//! The service that publishes orders.

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use tokio::time::sleep;
use traced_rabbitmq::{
    TracedProducer,
    lapin::{self, BasicProperties, Connection, options::BasicPublishOptions},
    opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{SpanKind, TraceContextExt as _, Tracer as _},
    },
};

use crate::{queues, service::Service};

pub(crate) struct Shop {
    tracer: SdkTracer,
    producer: TracedProducer,
    _connection: Connection,
}

impl Shop {
    pub(crate) async fn open(url: &str, service: &Service) -> lapin::Result<Self> {
        let (connection, channel) = queues::connect(url).await?;
        queues::declare_exchange(&channel).await?;
        let producer = TracedProducer::with_settings(channel, &service.settings());
        Ok(Self { tracer: service.tracer(), producer, _connection: connection })
    }

    /// What a web framework's instrumentation does: a span around the request, current while it is answered.
    pub(crate) async fn post_order(&self, item: &str) -> lapin::Result<()> {
        let span = self.tracer.span_builder("POST /orders").with_kind(SpanKind::Server).start(&self.tracer);
        self.order(item).with_context(Context::current_with_span(span)).await
    }

    async fn order(&self, item: &str) -> lapin::Result<()> {
        self.charge().with_context(Context::current_with_span(self.tracer.start("charge card"))).await;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, routing_key) = (queues::EXCHANGE.into(), queues::CREATED.into());
        self.producer
            .publish(exchange, routing_key, options, item.as_bytes(), BasicProperties::default())
            .await? // handed to the broker
            .await?; // confirmed by the broker: the span ends
        Ok(())
    }

    async fn charge(&self) {
        sleep(Duration::from_millis(4)).await; // the bank
    }
}
