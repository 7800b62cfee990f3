//! Run with `cargo run -p examples --example redis`: one order over Redis' pub/sub, its spans on standard output.

use std::time::Duration;

use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use traced_envelope::propagation::W3cPropagator;
use traced_redis::{
    Form, TracedConsumer, TracedProducer,
    opentelemetry::{global, trace::TracerProvider as _},
    redis::Client,
};
use tracing::Instrument as _;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = install();
    // A server to try with, started for this program; yours has a URL like redis://user:password@redis.internal:6379.
    let server = test_brokers::Redis::start().await?;
    let client = Client::open(server.url())?;
    let connection = client.get_multiplexed_async_connection().await?;
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe("quickstart").await?;

    // was: connection.publish("quickstart", b"coffee").await?
    let mut producer = TracedProducer::new(connection, Form::Binary);
    let receivers = producer.publish("quickstart", b"coffee").instrument(tracing::info_span!("checkout")).await?;
    tracing::info!(receivers, "published");

    // was: let mut messages = subscription.into_on_message()
    let mut consumer = TracedConsumer::new(subscription);
    if let Some(message) = consumer.next().await {
        message?
            .process(async |message| {
                reserve(message.payload()).await;
                anyhow::Ok(())
            })
            .await?;
    }

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
