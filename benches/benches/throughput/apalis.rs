//! apalis on SQLite in a file: jobs are enqueued one by one, and then a worker runs all of them.

use crate::rounds::{self, Measured, Way, measure};
use anyhow::{Context as _, Result, anyhow};
use apalis::layers::tracing::{ContextualTaskSpan, OtelTraceContext, TraceLayer, TracingContext};
use apalis_core::backend::TaskSink as _;
use apalis_core::error::BoxDynError;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use benches::sdk::sampled_provider;
use opentelemetry::trace::TracerProvider as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use traced_apalis::{Settings, TracedProducer};
use traced_envelope::propagation::W3cPropagator;
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt as _;

/// What the other transports' runs with a header are: apalis' own layer, with a context that is written by hand.
const BUILT_IN: Way = Way::WithHeader;
const JOBS: usize = 200;

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct SendEmail {
    to: String,
}

fn email() -> SendEmail {
    SendEmail { to: "ada@example.com".to_owned() }
}

pub(crate) async fn compare() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("jobs.db").display());
    let pool = SqlitePool::connect(&url).await?;
    SqliteStorage::setup(&pool).await?;
    let title = format!("apalis on SQLite, {JOBS} jobs a run");
    rounds::compare_beside("apalis' own", &title, async |way| {
        sqlx::query("DELETE FROM Jobs").execute(&pool).await?;
        run(&pool, way).await.map_err(|error| anyhow!("{error:#}"))
    })
    .await
}

/// A name of its own for each run's worker: to the storage, the one before is still at work.
fn worker() -> String {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    format!("worker-{}", RUNS.fetch_add(1, Ordering::Relaxed))
}

/// A macro, because a worker's bounds in a function's signature would be longer than what it does.
macro_rules! work {
    ($worker:expr) => {{
        let handled = Arc::new(Semaphore::new(0));
        let (counter, all) = (Arc::clone(&handled), Arc::clone(&handled));
        let worker = $worker.build(move |_: SendEmail| {
            let counter = Arc::clone(&counter);
            async move { counter.add_permits(1) }
        });
        let until = async move {
            all.acquire_many(JOBS as u32).await.map(|permits| permits.forget()).map_err(std::io::Error::other)
        };
        worker.run_until(until).await.context("the worker failed")
    }};
}

async fn run(pool: &SqlitePool, way: Way) -> Result<Measured, BoxDynError> {
    let storage =
        || SqliteStorage::<SendEmail>::new(pool).with_config(Config::default().queue("emails").batch_size(20));
    let measured = match way {
        Way::Bare => {
            let mut queue = storage();
            measure(JOBS, async {
                for _ in 0..JOBS {
                    queue.push(email()).await?;
                }
                work!(WorkerBuilder::new(worker()).backend(queue))
            })
            .await
        }
        Way::Traced => {
            let settings = Settings::default().propagator(W3cPropagator::new());
            let mut queue = TracedProducer::with_settings(storage(), &settings).queue("emails");
            measure(JOBS, async {
                for _ in 0..JOBS {
                    queue.push(email()).await?;
                }
                work!(WorkerBuilder::new(worker()).backend(queue))
            })
            .await
        }
        BUILT_IN => {
            let mut queue = storage();
            let layer = tracing_opentelemetry::layer().with_tracer(sampled_provider().tracer("apalis"));
            let run = async {
                for _ in 0..JOBS {
                    let span = tracing::info_span!("push", queue = "emails");
                    let context = span.in_scope(|| TracingContext::from(OtelTraceContext::current()));
                    let task = TaskBuilder::new(email()).metadata(&context).build();
                    queue.push_task(task).instrument(span).await?;
                }
                let layer = TraceLayer::new().make_span_with(ContextualTaskSpan::new());
                work!(WorkerBuilder::new(worker()).backend(queue).layer(layer))
            };
            measure(JOBS, run.with_subscriber(tracing_subscriber::registry().with(layer))).await
        }
    };
    Ok(measured?)
}
