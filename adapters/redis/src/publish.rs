//! Publishing over asynchronous connections.

use crate::body::{Body, Bytes, Json};
use crate::publisher::Command;
use crate::{TracedProducer, error};
use redis::RedisResult;
use redis::aio::ConnectionLike;
use serde_core::Serialize;

impl<C: ConnectionLike> TracedProducer<C> {
    /// `PUBLISH` of bytes in the producer's form, inside a span `publish {channel}`: how many subscriptions got the message.
    ///
    /// A connection that is subscribed to the channel both by its name and by a pattern counts twice, and gets it twice.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(connection, Form::Binary);
    /// if producer.publish("orders", b"\x00\x01").await? == 0 {
    ///     // Nobody was there; Redis keeps nothing for those who come later.
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it as status and `error.type`.
    ///
    /// # Cancel safety
    ///
    /// As redis': dropped before it has returned, the message may or may not be on its way. The span ends as `cancelled`.
    pub async fn publish(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> RedisResult<usize> {
        self.send(Command::Publish, channel.as_ref(), &Bytes(payload.as_ref())).await
    }

    /// `PUBLISH` of a value in the JSON form, `{"trace_context":{..},"payload":..}`, which any JSON parser reads; where the form of the
    /// channel is [`Form::Bare`](crate::Form::Bare), of its JSON alone. The span has no size, which only the written text has. Otherwise as
    /// [`publish`](Self::publish).
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Order {
    ///     id: u64,
    /// }
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(connection, Form::Binary);
    /// producer.publish_json("orders", &Order { id: 42 }).await?; // in Python: json.loads(data)["payload"]["id"]
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish); one of kind [`Client`](redis::ErrorKind::Client) for a value that has no JSON, such as a map whose
    /// keys are no strings.
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_json<T>(&mut self, channel: impl AsRef<[u8]>, payload: &T) -> RedisResult<usize>
    where
        T: Serialize + ?Sized,
    {
        self.send(Command::Publish, channel.as_ref(), &Json(payload)).await
    }

    /// `SPUBLISH`, to a channel of the shard that its name hashes to, inside a span `spublish {channel}`. Otherwise as
    /// [`publish`](Self::publish).
    ///
    /// ```no_run
    /// use redis::cluster_async::ClusterConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: ClusterConnection) -> redis::RedisResult<()> {
    /// TracedProducer::new(connection, Form::Binary).spublish("orders", b"{}").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn spublish(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> RedisResult<usize> {
        self.send(Command::Spublish, channel.as_ref(), &Bytes(payload.as_ref())).await
    }

    /// [`spublish`](Self::spublish) of a value, as [`publish_json`](Self::publish_json).
    ///
    /// ```no_run
    /// use redis::cluster_async::ClusterConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: ClusterConnection) -> redis::RedisResult<()> {
    /// TracedProducer::new(connection, Form::Binary).spublish_json("orders", &[1, 2]).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`publish_json`](Self::publish_json).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn spublish_json<T>(&mut self, channel: impl AsRef<[u8]>, payload: &T) -> RedisResult<usize>
    where
        T: Serialize + ?Sized,
    {
        self.send(Command::Spublish, channel.as_ref(), &Json(payload)).await
    }

    async fn send(&mut self, command: Command, channel: &[u8], body: &impl Body) -> RedisResult<usize> {
        let (span, command) = self.publisher.send(command, channel, body)?;
        span.run_with(command.query_async(&mut self.connection), error::of_result).await
    }
}
