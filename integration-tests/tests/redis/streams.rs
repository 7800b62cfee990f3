//! What the tests of streams start with: a stream of their own, a group that reads it.

use anyhow::{Context as _, Result};
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamReadOptions;
use traced_redis::{Entry, Form, StreamConsumer, TracedEntry, TracedProducer};

use crate::server::{Server, soon, unique};

pub(crate) const GROUP: &str = "inventory";

/// A stream that nobody else has, which a group reads from its beginning.
pub(crate) struct Stream {
    pub(crate) server: Server,
    pub(crate) name: String,
    /// For what is not to be traced.
    pub(crate) plain: MultiplexedConnection,
}

impl Stream {
    pub(crate) async fn new() -> Result<Self> {
        Self::of(Server::shared().await?).await
    }

    pub(crate) async fn of(server: Server) -> Result<Self> {
        let (name, mut plain) = (unique("orders"), server.connection().await?);
        let () = plain.xgroup_create_mkstream(&name, GROUP, "0").await?;
        Ok(Self { server, name, plain })
    }

    /// Over a connection with redis' own limits.
    pub(crate) async fn connection(&self) -> Result<MultiplexedConnection> {
        Ok(soon(self.server.client.get_multiplexed_async_connection()).await??)
    }

    pub(crate) async fn producer(&self) -> Result<TracedProducer<MultiplexedConnection>> {
        self.server.producer(Form::Bare).await
    }

    pub(crate) async fn consumer(&self) -> Result<StreamConsumer<MultiplexedConnection>> {
        Ok(StreamConsumer::with_settings(self.connection().await?, &self.server.warehouse()))
    }

    /// How many entries the group waits for.
    pub(crate) async fn pending(&mut self) -> Result<usize> {
        let pending: redis::streams::StreamPendingReply = self.plain.xpending(&self.name, GROUP).await?;
        Ok(pending.count())
    }
}

/// As a worker of the group.
pub(crate) fn group(worker: &str) -> StreamReadOptions {
    StreamReadOptions::default().group(GROUP, worker)
}

/// The next entry of the group that nobody has got yet.
pub(crate) async fn next(consumer: &mut StreamConsumer<MultiplexedConnection>, stream: &str) -> Result<TracedEntry> {
    let options = group("worker-1").count(1).block(20_000);
    let mut entries = soon(consumer.xread_options(&[stream], &[">"], &options)).await??;
    entries.pop().context("an entry in time")
}

/// The fields of an entry, as texts.
pub(crate) fn fields(entry: &Entry) -> Vec<(String, String)> {
    let text = |value: &redis::Value| match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    };
    entry.fields().iter().map(|(name, value)| (text(name), text(value))).collect()
}
