//! Channels that are published to often.

use crate::body::{Body, Bytes, Json};
use crate::publisher::{Command, Publisher, Target};
use crate::{TracedProducer, error};
use redis::aio::ConnectionLike;
use redis::{Cmd, RedisResult};
use serde_core::Serialize;
use std::fmt;
use std::future::Future;
use traced_envelope::{Form, MessageSpan, PreparedDestination};

impl<C: Clone> TracedProducer<C> {
    /// Prepares a channel: what is the same for all messages is worked out once. The connection is cloned, which is cheap for all that
    /// can be: they share their socket.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut orders = TracedProducer::new(connection, Form::Binary).destination("orders");
    /// for order in [&b"1"[..], b"2"] {
    ///     orders.publish(order).await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn destination(&self, channel: impl AsRef<[u8]>) -> TracedDestination<C> {
        self.destination_of(Command::Publish, channel.as_ref())
    }

    /// The same for a channel of one shard: its messages go by `SPUBLISH`.
    ///
    /// ```no_run
    /// use redis::cluster_async::ClusterConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: ClusterConnection) -> redis::RedisResult<()> {
    /// TracedProducer::new(connection, Form::Binary).sharded_destination("orders").publish(b"{}").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn sharded_destination(&self, channel: impl AsRef<[u8]>) -> TracedDestination<C> {
        self.destination_of(Command::Spublish, channel.as_ref())
    }

    fn destination_of(&self, command: Command, channel: &[u8]) -> TracedDestination<C> {
        let name = String::from_utf8_lossy(channel);
        TracedDestination {
            connection: self.connection.clone(),
            publisher: self.publisher.clone(),
            command,
            channel: channel.into(),
            form: self.publisher.form(&name).clone(),
            prepared: self.publisher.prepared(command.operation(), &name),
        }
    }
}

/// A channel that messages are published to often; made by [`TracedProducer::destination`].
///
/// ```
/// use traced_redis::{Form, TracedDestination, TracedProducer};
///
/// let producer = TracedProducer::new("any connection", Form::Binary).form_for("legacy.*", Form::Bare);
/// let legacy: TracedDestination<_> = producer.destination("legacy.orders");
/// assert!(format!("{legacy:?}").contains("Bare")); // the channel's form, looked up once
/// ```
#[derive(Clone)]
pub struct TracedDestination<C> {
    connection: C,
    publisher: Publisher,
    command: Command,
    channel: Box<[u8]>,
    form: Form,
    prepared: PreparedDestination,
}

impl<C: ConnectionLike> TracedDestination<C> {
    /// [`TracedProducer::publish`] to this channel.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::TracedDestination;
    ///
    /// # async fn example(mut orders: TracedDestination<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// assert_eq!(orders.publish(b"42").await?, 1); // one receiver
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`TracedProducer::publish`].
    pub async fn publish(&mut self, payload: impl AsRef<[u8]>) -> RedisResult<usize> {
        let message = self.message(&Bytes(payload.as_ref()));
        self.send(message).await
    }

    /// [`TracedProducer::publish_json`] to this channel.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::TracedDestination;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Order {
    ///     id: u64,
    /// }
    ///
    /// # async fn example(mut orders: TracedDestination<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// orders.publish_json(&Order { id: 42 }).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TracedProducer::publish_json`].
    ///
    /// # Cancel safety
    ///
    /// As [`TracedProducer::publish`].
    pub fn publish_json<T: Serialize + ?Sized>(&mut self, payload: &T) -> impl Future<Output = RedisResult<usize>> {
        let payload = Json::of(payload);
        async move {
            let message = self.message(&payload);
            self.send(message).await
        }
    }

    fn message(&self, body: &impl Body) -> RedisResult<(MessageSpan, Cmd)> {
        let Self { command, channel, form, prepared, .. } = self;
        self.publisher.send_to(&Target { command: *command, channel, form, destination: prepared }, body)
    }

    async fn send(&mut self, message: RedisResult<(MessageSpan, Cmd)>) -> RedisResult<usize> {
        let (span, command) = message?;
        span.run_with(command.query_async(&mut self.connection), error::of_result).await
    }
}

impl<C> fmt::Debug for TracedDestination<C> {
    /// Most of redis' connections have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracedDestination")
            .field("command", &self.command)
            .field("channel", &String::from_utf8_lossy(&self.channel))
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
