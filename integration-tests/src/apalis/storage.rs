//! The storages, and what is the same for all of them.

use anyhow::Result;
use apalis_core::backend::finalize::Durable;
use apalis_core::backend::persistence::TaskPersistLayer;
use apalis_core::backend::{Backend, BackendConfig, WireFormatBackend};
use apalis_core::task::Task;
use apalis_core::task::task_id::GenerateId;
use apalis_postgres::{PgPool, PostgresStorage};
use apalis_redis::{ConnectionManager, RedisStorage};
use apalis_sqlite::{JsonCodec, SqlitePool, SqlitePoolOptions, SqliteStorage};
use futures_util::Sink;
use serde_json::Value;
use std::error::Error;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use test_brokers::Broker;
use traced_apalis::apalis_core;

/// What every storage brings its workers.
pub(super) type Layer = TaskPersistLayer<JsonCodec<Value>, Value>;

/// A backend that keeps jobs as bytes: what apalis' storages have in common.
pub trait JobBackend:
    Backend<Task = Task<Vec<u8>>, Error = Self::Failure>
    + BackendConfig<Args = Vec<u8>, Id: GenerateId, Kind = Durable, Layer = TaskPersistLayer<JsonCodec<Value>, Value>>
    + WireFormatBackend<Codec = JsonCodec<Vec<u8>>, Compact = Vec<u8>>
    + Sink<Task<Vec<u8>>, Error = Self::Failure>
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
    /// Its errors.
    type Failure: Error + Send + Sync + 'static;
}

impl JobBackend for SqliteStorage<Vec<u8>> {
    type Failure = apalis_sqlite::Error;
}

impl JobBackend for PostgresStorage<Vec<u8>> {
    type Failure = apalis_postgres::Error;
}

impl JobBackend for RedisStorage<Vec<u8>> {
    type Failure = apalis_redis::Error;
}

/// A storage that is there.
pub trait Storage: Clone + Debug + Send + Sync + 'static {
    /// `messaging.system`.
    const SYSTEM: &'static str;
    /// apalis' backend on it.
    type Backend: JobBackend;

    /// Connects to the one that the tests share.
    fn shared() -> impl Future<Output = Result<Self>> + Send;
    /// It in one line.
    fn describe(&self) -> String;
    /// The environment variable and the value by which another process finds it.
    fn address(&self) -> (&'static str, String);
    /// A queue in it, from which jobs are fetched one at a time, since what is fetched is locked; and with no lock besides that, which
    /// would wait for somebody to poll.
    fn queue(&self, name: &str) -> Self::Backend;
    /// A queue for workers in several processes: they give a sign of life once a second, and look for jobs of those that gave none for
    /// so many.
    fn workers_queue(&self, name: &str, dead_after_seconds: usize) -> Self::Backend;
}

/// Between two signs of life. The storages count in whole seconds.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// SQLite in a file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    pool: SqlitePool,
    url: String,
    /// Removed with the last one that uses it.
    _directory: Option<Arc<TempDir>>,
}

impl Storage for Sqlite {
    const SYSTEM: &'static str = "sqlite";
    type Backend = SqliteStorage<Vec<u8>>;

    async fn shared() -> Result<Self> {
        let given = std::env::var(Self::URL).ok();
        let directory = if given.is_some() { None } else { Some(Arc::new(tempfile::tempdir()?)) };
        let file = directory.iter().map(|it| format!("sqlite://{}?mode=rwc", it.path().join("jobs.db").display()));
        let url = given.into_iter().chain(file).collect::<String>();
        // One connection: SQLite refuses a writer that reads before another writes.
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&url).await?;
        SqliteStorage::setup(&pool).await?;
        Ok(Self { pool, url, _directory: directory })
    }

    fn describe(&self) -> String {
        "SQLite in files".to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (Self::URL, self.url.clone())
    }

    fn queue(&self, name: &str) -> Self::Backend {
        let config = apalis_sqlite::Config::default().queue(name).batch_size(1).lock_tasks(false);
        SqliteStorage::new(&self.pool).with_config(config)
    }

    fn workers_queue(&self, name: &str, dead_after_seconds: usize) -> Self::Backend {
        let config = apalis_sqlite::Config::default().queue(name).batch_size(1);
        let config = config.heartbeat_interval(HEARTBEAT).missed_heartbeats(dead_after_seconds);
        SqliteStorage::new(&self.pool).with_config(config)
    }
}

impl Sqlite {
    const URL: &'static str = "TRACED_TEST_SQLITE_URL";
}

/// PostgreSQL.
#[derive(Clone, Debug)]
pub struct Postgres {
    broker: Arc<test_brokers::Postgres>,
    pool: PgPool,
}

impl Storage for Postgres {
    const SYSTEM: &'static str = "postgresql";
    type Backend = PostgresStorage<Vec<u8>>;

    async fn shared() -> Result<Self> {
        let broker = Broker::shared().await?;
        let pool = PgPool::connect(broker.url()).await?;
        PostgresStorage::setup(&pool).await?;
        Ok(Self { broker, pool })
    }

    fn describe(&self) -> String {
        self.broker.describe().to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (test_brokers::POSTGRES.url_variable, self.broker.url().to_owned())
    }

    fn queue(&self, name: &str) -> Self::Backend {
        let config = apalis_postgres::Config::default().queue(name).batch_size(1).lock_tasks(false);
        PostgresStorage::new(&self.pool).with_config(config)
    }

    fn workers_queue(&self, name: &str, dead_after_seconds: usize) -> Self::Backend {
        let config = apalis_postgres::Config::default().queue(name).batch_size(1);
        let config = config.heartbeat_interval(HEARTBEAT).missed_heartbeats(dead_after_seconds);
        PostgresStorage::new(&self.pool).with_config(config)
    }
}

/// Redis.
#[derive(Clone)]
pub struct Redis {
    broker: Arc<test_brokers::Redis>,
    connection: ConnectionManager,
}

impl Debug for Redis {
    /// A connection has nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redis").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl Storage for Redis {
    const SYSTEM: &'static str = "redis";
    type Backend = RedisStorage<Vec<u8>>;

    async fn shared() -> Result<Self> {
        let broker = Broker::shared().await?;
        let connection = apalis_redis::connect(broker.url()).await?;
        Ok(Self { broker, connection })
    }

    fn describe(&self) -> String {
        self.broker.describe().to_owned()
    }

    fn address(&self) -> (&'static str, String) {
        (test_brokers::REDIS.url_variable, self.broker.url().to_owned())
    }

    fn queue(&self, name: &str) -> Self::Backend {
        let config = apalis_redis::Config::default().queue(name).batch_size(1).lock_tasks(false);
        RedisStorage::new(self.connection.clone()).with_config(config)
    }

    fn workers_queue(&self, name: &str, dead_after_seconds: usize) -> Self::Backend {
        let config = apalis_redis::Config::default().queue(name).batch_size(1);
        let config = config.heartbeat_interval(HEARTBEAT).missed_heartbeats(dead_after_seconds);
        RedisStorage::new(self.connection.clone()).with_config(config)
    }
}
