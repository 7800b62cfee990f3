//! Run with `cargo run -p examples --example redis_streams`: one order through a Redis stream, its spans on standard output.

use std::time::Duration;

use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use traced_envelope::propagation::W3cPropagator;
use traced_redis::{
    Entry, Form, StreamConsumer, TracedProducer,
    opentelemetry::{global, trace::TracerProvider as _},
    redis::{AsyncCommands as _, Client, streams::StreamReadOptions},
};
use tracing::Instrument as _;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = install();
    // A server to try with, started for this program; yours has a URL like redis://user:password@redis.internal:6379.
    let server = test_brokers::Redis::start().await?;
    let client = Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = connection.xgroup_create_mkstream("quickstart", "inventory", "0").await?;

    // was: connection.xadd("quickstart", "*", &[("drink", "coffee")]).await?
    let mut producer = TracedProducer::new(connection, Form::Binary);
    let added = producer.xadd("quickstart", "*", &[("drink", "coffee")]);
    let id = added.instrument(tracing::info_span!("checkout")).await?;
    tracing::info!(id, "added");

    // was: connection.xread_options(..).await?, on a connection of its own, since the read waits
    let mut consumer = StreamConsumer::new(client.get_multiplexed_async_connection().await?);
    let options = StreamReadOptions::default().group("inventory", "worker-1").count(10).block(5000);
    for entry in consumer.xread_options(&["quickstart"], &[">"], &options).await? {
        entry
            .process_and_settle(consumer.get_mut(), async |entry| {
                reserve(&entry).await;
                anyhow::Ok(()) // acknowledges the entry
            })
            .await?;
    }

    provider.shutdown()?; // sends what is left
    Ok(())
}

/// A span like this one is the process span's child.
#[tracing::instrument(name = "reserve stock", skip_all)]
async fn reserve(order: &Entry) {
    tracing::info!(drink = order.get::<String>("drink"), "an order");
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
