//! The demo's job queues: an SQLite database inside this process, with its file in a directory that goes with it.

use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqliteStorage};
use tempfile::TempDir;

pub(crate) struct Database {
    pool: SqlitePool,
    directory: TempDir,
}

impl Database {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let file = directory.path().join("jobs.db");
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file).create_if_missing(true)).await?;
        SqliteStorage::setup(&pool).await?;
        Ok(Self { pool, directory })
    }

    pub(crate) fn describe(&self) -> String {
        format!("job queues in SQLite, in {}", self.directory.path().display())
    }

    /// A queue of jobs whose argument is an order's item.
    pub(crate) fn queue(&self, name: &str) -> SqliteStorage<String> {
        SqliteStorage::new(&self.pool).with_config(Config::default().queue(name))
    }
}
