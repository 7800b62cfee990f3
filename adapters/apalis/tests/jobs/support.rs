//! What the tests have in common.

use apalis_core::backend::memory::MemoryStorage;
use apalis_core::error::BoxDynError;
use apalis_sqlite::{Config, SqlitePool, SqlitePoolOptions, SqliteStorage};
use std::io;
use std::time::Duration;
use tempfile::TempDir;
use traced_apalis::apalis_core;
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{Settings, TracedProducer};

/// A job.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct SendEmail {
    pub(crate) to: String,
}

pub(crate) fn email() -> SendEmail {
    SendEmail { to: "ada@example.com".to_owned() }
}

pub(crate) fn memory(settings: &Settings) -> TracedProducer<MemoryStorage<SendEmail>> {
    TracedProducer::with_settings(MemoryStorage::new(), settings)
}

/// Ends a worker as soon as so many spans have ended.
pub(crate) async fn ended(capture: &Capture, spans: usize) -> io::Result<()> {
    soon(capture.spans_ended(spans)).await.map(|_| ()).map_err(|error| {
        let open = capture.open_spans().len();
        io::Error::other(format!("{error}, {open} open, ended:\n{}", capture.forest()))
    })
}

/// The same as `'static`, which a worker's signal has to be.
pub(crate) fn until_ended(capture: &Capture, spans: usize) -> impl Future<Output = io::Result<()>> + Send + 'static {
    let capture = capture.clone();
    async move { ended(&capture, spans).await }
}

/// A limit for what the test waits for.
pub(crate) async fn soon<F: Future>(future: F) -> Result<F::Output, tokio::time::error::Elapsed> {
    tokio::time::timeout(Duration::from_secs(30), future).await
}

/// An SQLite database in a file of its own.
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
    pub(crate) url: String,
    _directory: TempDir,
}

impl Database {
    pub(crate) async fn new() -> Result<Self, BoxDynError> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("jobs.db").display());
        // One connection: SQLite refuses a writer that reads before another writes, and a worker ends with that.
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&url).await?;
        SqliteStorage::setup(&pool).await?;
        Ok(Self { pool, url, _directory: directory })
    }

    pub(crate) fn queue(&self, settings: &Settings) -> TracedProducer<SqliteStorage<SendEmail>> {
        let config = Config::default().queue("emails").batch_size(1);
        let storage = SqliteStorage::new(&self.pool).with_config(config);
        TracedProducer::with_settings(storage, settings).queue("emails")
    }

    /// What the one job that is stored has in its columns `job` and `metadata`.
    pub(crate) async fn stored(&self) -> Result<(String, String), BoxDynError> {
        let row: (Vec<u8>, String) = sqlx::query_as("SELECT job, metadata FROM Jobs").fetch_one(&self.pool).await?;
        Ok((String::from_utf8(row.0)?, row.1))
    }
}
