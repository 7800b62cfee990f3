//! Publishing over asynchronous connections.

use crate::body::{Bytes, Json};
use crate::publisher::Command;
use crate::{TracedProducer, error};
use redis::aio::ConnectionLike;
use redis::{Cmd, RedisResult};
use serde_core::Serialize;
use std::future::Future;
use traced_envelope::MessageSpan;

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
        let message = self.publisher.send(Command::Publish, channel.as_ref(), &Bytes(payload.as_ref()));
        self.send(message).await
    }

    /// `PUBLISH` of a value in the JSON form, `{"trace_context":{..},"payload":..}`, which any JSON parser reads; where the form of the
    /// channel is [`Form::Bare`](crate::Form::Bare), of its JSON alone. Its JSON is written at once, before the future is polled: the
    /// future is `Send` whatever the value is. Otherwise as [`publish`](Self::publish).
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
    pub fn publish_json<T>(
        &mut self,
        channel: impl AsRef<[u8]>,
        payload: &T,
    ) -> impl Future<Output = RedisResult<usize>>
    where
        T: Serialize + ?Sized,
    {
        let payload = Json::of(payload);
        async move {
            let message = self.publisher.send(Command::Publish, channel.as_ref(), &payload);
            self.send(message).await
        }
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
        let message = self.publisher.send(Command::Spublish, channel.as_ref(), &Bytes(payload.as_ref()));
        self.send(message).await
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
    pub fn spublish_json<T>(
        &mut self,
        channel: impl AsRef<[u8]>,
        payload: &T,
    ) -> impl Future<Output = RedisResult<usize>>
    where
        T: Serialize + ?Sized,
    {
        let payload = Json::of(payload);
        async move {
            let message = self.publisher.send(Command::Spublish, channel.as_ref(), &payload);
            self.send(message).await
        }
    }

    async fn send(&mut self, message: RedisResult<(MessageSpan, Cmd)>) -> RedisResult<usize> {
        let (span, command) = message?;
        span.run_with(command.query_async(&mut self.connection), error::of_result).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::aio::MultiplexedConnection;
    use std::cell::Cell;
    use traced_envelope::Form;

    /// Bug that this prevents: the value was held until the answer came, so that one that is not `Sync` could not be sent from a task.
    #[test]
    fn a_value_that_cannot_be_shared_is_sent_by_a_future_that_can_be_spawned() {
        fn spawns<'f>(future: impl Future<Output = RedisResult<usize>> + Send + 'f) {
            drop(future);
        }
        let _compiles = |connection: MultiplexedConnection| {
            let mut producer = TracedProducer::new(connection, Form::Binary);
            spawns(producer.publish_json("orders", &Cell::new(42)));
            spawns(producer.spublish_json("orders", &Cell::new(42)));
            spawns(producer.destination("orders").publish_json(&Cell::new(42)));
        };
    }
}
