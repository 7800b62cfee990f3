//! Run with `cargo run -p examples --example rabbitmq`: one order through RabbitMQ, its spans on standard output.

use std::time::Duration;

use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use traced_envelope::propagation::W3cPropagator;
use traced_rabbitmq::{
    TracedConsumer, TracedProducer,
    lapin::{BasicProperties, Connection, ConnectionProperties, options::*, types::FieldTable},
    opentelemetry::{global, trace::TracerProvider as _},
};
use tracing::Instrument as _;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = install();
    // A broker to try with, started for this program; yours has a URL like amqp://user:password@mq.internal:5672/%2f.
    let broker = test_brokers::RabbitMq::start().await?;
    let connection = Connection::connect(broker.url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("quickstart".into(), exclusive, FieldTable::default()).await?;

    // was: channel.basic_publish(..).await?.await?
    let producer = TracedProducer::new(channel.clone());
    async {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        producer.publish("".into(), "quickstart".into(), options, b"coffee", properties).await?.await
    }
    .instrument(tracing::info_span!("checkout"))
    .await?;

    // was: let mut consumer = channel.basic_consume(..).await?
    let consumer = channel.basic_consume("quickstart".into(), "".into(), Default::default(), FieldTable::default());
    let mut consumer = TracedConsumer::new(consumer.await?);
    if let Some(delivery) = consumer.next().await {
        delivery?
            .process(async |delivery| {
                reserve(&delivery.data).await;
                delivery.ack(BasicAckOptions::default()).await
            })
            .await?;
    }

    connection.close(200, "done".into()).await?;
    provider.shutdown()?; // sends what is left
    Ok(())
}

/// A span like this one is the process span's child.
#[tracing::instrument(name = "reserve stock", skip_all)]
async fn reserve(order: &[u8]) {
    tracing::info!(bytes = order.len(), "an order");
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Once a process: provider, propagator, and `tracing` on top of them.
fn install() -> SdkTracerProvider {
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("quickstart").build())
        // For a collector: .with_batch_exporter(opentelemetry_otlp::SpanExporter::builder().with_http().build()?)
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build();
    global::set_tracer_provider(provider.clone());
    // OpenTelemetry's default propagator writes nothing, without an error.
    global::set_text_map_propagator(W3cPropagator::new());
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_subscriber::fmt::layer())
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("quickstart")))
        .init();
    provider
}
