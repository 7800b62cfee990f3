//! Run with `cargo run -p examples --example kafka`: one order through Kafka, its spans on standard output.

use std::{env, time::Duration};

use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use traced_envelope::propagation::W3cPropagator;
use traced_kafka::{
    TracedConsumer, TracedProducer,
    opentelemetry::{global, trace::TracerProvider as _},
    rdkafka::{ClientConfig, Message as _, mocking::MockCluster, util::Timeout},
    rdkafka::{consumer::*, error::KafkaResult, producer::*},
};
use tracing::Instrument as _;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = install();
    // A cluster to try with, inside this program; yours is at an address like kafka.internal:9092.
    let cluster = MockCluster::new(1)?;
    cluster.create_topic("quickstart", 1, 1)?;
    let servers = env::var("TRACED_KAFKA_URL").unwrap_or_else(|_| cluster.bootstrap_servers());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);

    // was: let producer: FutureProducer = config.create()?
    let producer = TracedProducer::new(config.create::<FutureProducer>()?);
    async {
        let record = FutureRecord::to("quickstart").key("42").payload("coffee");
        producer.send(record, Timeout::Never).await.map_err(|(error, _)| error) // with the delivery report the span ends
    }
    .instrument(tracing::info_span!("checkout"))
    .await?;

    // was: let consumer: StreamConsumer = config.create()?
    config.set("group.id", "quickstart").set("auto.offset.reset", "earliest");
    let consumer = TracedConsumer::new(config.create::<StreamConsumer>()?);
    consumer.get_ref().subscribe(&["quickstart"])?;
    let message = consumer.recv().await?;
    message
        .process(async |message| {
            reserve(message.payload().unwrap_or_default()).await;
            KafkaResult::Ok(())
        })
        .await?;

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
