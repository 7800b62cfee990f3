//! Run with `cargo run -p examples --example apalis`: one job, its spans on standard output.

use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use traced_apalis::{
    TracedProducer,
    apalis_core::{
        backend::{TaskSink as _, memory::MemoryStorage},
        error::BoxDynError,
        worker::{builder::WorkerBuilder, context::WorkerContext},
    },
    opentelemetry::{global, trace::TracerProvider as _},
};
use traced_envelope::propagation::W3cPropagator;
use tracing::Instrument as _;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

struct SendEmail {
    to: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let provider = install();
    // was: let mut queue = MemoryStorage::new(); any backend of apalis goes here, such as SqliteStorage::new(&pool).
    let mut queue = TracedProducer::new(MemoryStorage::new());
    queue.push(SendEmail { to: "ada@example.com" }).instrument(tracing::info_span!("checkout")).await?;

    // As without us: the spans come with the backend.
    WorkerBuilder::new("mailer").backend(queue).build(send_email).run().await?;
    provider.shutdown()?; // sends what is left
    Ok(())
}

async fn send_email(email: SendEmail, worker: WorkerContext) -> Result<(), BoxDynError> {
    render(email.to).await;
    worker.stop()?; // so that this program ends
    Ok(())
}

/// A span like this one is the process span's child.
#[tracing::instrument]
async fn render(to: &str) {
    tracing::info!(bytes = to.len(), "an email");
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
