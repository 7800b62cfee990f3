//! The queues of jobs, in the database of the orders.

use anyhow::Context as _;
use apalis_postgres::{PgPool, PostgresStorage};
use apalis_sqlite::{SqlitePool, SqlitePoolOptions, SqliteStorage};
use serde::{Deserialize, Serialize};
use traced_apalis::{
    Relation, Settings, TracedProducer,
    apalis_core::{backend::TaskSink as _, task::builder::TaskBuilder},
};

use crate::{
    failure::Failure,
    notifier::Notification,
    order::{Card, Order},
    tables,
};

pub(super) const PROCESS_ORDER: &str = "process_order";
pub(super) const SEND_NOTIFICATION: &str = "send_notification";

/// After so many a job is given up.
pub(super) const ATTEMPTS: usize = 3;

/// The job that gets an order paid.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ProcessOrder {
    pub(crate) order: Order,
    pub(crate) card: Card,
}

/// Clones are the same queue.
#[derive(Clone)]
pub(super) enum Queue<Job> {
    Sqlite(TracedProducer<SqliteStorage<Job>>),
    Postgres(TracedProducer<PostgresStorage<Job>>),
}

/// The queues, to push jobs to, and for workers.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(super) orders: Queue<ProcessOrder>,
    pub(super) notifications: Queue<Notification>,
}

impl Jobs {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let settings = Settings::default()
            .on_error(Failure::kind_of)
            // A job that is tried again would start a trace of its own, that links this one. Here a few attempts follow each other at
            // once, and one picture of all of them is worth more.
            .relation(Relation::Parent);
        if url.starts_with("sqlite:") {
            // More than one, although SQLite has one writer at a time: a worker that was asked to stop no longer asks its queue for
            // jobs, and the query that it was at keeps its connection. The jobs that are still worked on need another one.
            let pool =
                SqlitePoolOptions::new().max_connections(4).connect(url).await.context("no connection to SQLite")?;
            tables::set_up(async || SqliteStorage::setup(&pool).await).await?;
            Ok(Self {
                orders: Queue::in_sqlite(&pool, PROCESS_ORDER, &settings),
                notifications: Queue::in_sqlite(&pool, SEND_NOTIFICATION, &settings),
            })
        } else {
            let pool = PgPool::connect(url).await.context("no connection to PostgreSQL")?;
            tables::set_up(async || PostgresStorage::setup(&pool).await).await?;
            Ok(Self {
                orders: Queue::in_postgres(&pool, PROCESS_ORDER, &settings),
                notifications: Queue::in_postgres(&pool, SEND_NOTIFICATION, &settings),
            })
        }
    }

    pub(crate) async fn process_order(&self, job: ProcessOrder) -> anyhow::Result<()> {
        self.orders.push(job).await
    }

    pub(super) async fn send_notification(&self, notification: Notification) -> anyhow::Result<()> {
        self.notifications.push(notification).await
    }
}

impl<Job> Queue<Job> {
    fn in_sqlite(pool: &SqlitePool, name: &str, settings: &Settings) -> Self {
        // What is fetched is locked: one at a time, so that other workers get the rest.
        let config = apalis_sqlite::Config::default().queue(name).batch_size(1).lock_tasks(false);
        let storage = SqliteStorage::new(pool).with_config(config);
        Self::Sqlite(TracedProducer::with_settings(storage, settings).queue(name))
    }

    fn in_postgres(pool: &PgPool, name: &str, settings: &Settings) -> Self {
        let config = apalis_postgres::Config::default().queue(name).batch_size(1).lock_tasks(false);
        let storage = PostgresStorage::new(pool).with_config(config);
        Self::Postgres(TracedProducer::with_settings(storage, settings).queue(name))
    }
}

impl<Job> Queue<Job>
where
    Job: Serialize + for<'de> Deserialize<'de> + Send + Sync + Unpin + 'static,
{
    /// Once the job is stored its span ends.
    async fn push(&self, job: Job) -> anyhow::Result<()> {
        let task = TaskBuilder::new(job).max_attempts(ATTEMPTS).build();
        match self {
            Self::Sqlite(queue) => queue.clone().push_task(task).await?,
            Self::Postgres(queue) => queue.clone().push_task(task).await?,
        }
        Ok(())
    }
}
