//! Publishing over synchronous connections.

use crate::body::{Body, Bytes, Json};
use crate::publisher::Command;
use crate::{TracedProducer, error};
use redis::{ConnectionLike, RedisResult};
use serde_core::Serialize;

impl<C: ConnectionLike> TracedProducer<C> {
    /// `PUBLISH` of bytes in the producer's form over a synchronous connection, inside a span `publish {channel}`: how many
    /// subscriptions got the message.
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(client.get_connection()?, Form::Binary);
    /// let receivers = producer.publish_blocking("orders", b"{}")?;
    /// assert_eq!(receivers, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it as status and `error.type`.
    pub fn publish_blocking(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> RedisResult<usize> {
        self.send_blocking(Command::Publish, channel.as_ref(), &Bytes(payload.as_ref()))
    }

    /// `PUBLISH` of a value in the JSON form, `{"trace_context":{..},"payload":..}`; where the form of the channel is
    /// [`Form::Bare`](crate::Form::Bare), of its JSON alone.
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// TracedProducer::new(client.get_connection()?, Form::Binary).publish_json_blocking("orders", &[1, 2])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; one of kind [`Client`](redis::ErrorKind::Client) for a value that has no JSON.
    pub fn publish_json_blocking<T>(&mut self, channel: impl AsRef<[u8]>, payload: &T) -> RedisResult<usize>
    where
        T: Serialize + ?Sized,
    {
        self.send_blocking(Command::Publish, channel.as_ref(), &Json::of(payload))
    }

    /// `SPUBLISH`, to a channel of the shard that its name hashes to, inside a span `spublish {channel}`.
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// TracedProducer::new(client.get_connection()?, Form::Binary).spublish_blocking("orders", b"{}")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn spublish_blocking(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> RedisResult<usize> {
        self.send_blocking(Command::Spublish, channel.as_ref(), &Bytes(payload.as_ref()))
    }

    /// [`spublish_blocking`](Self::spublish_blocking) of a value, as [`publish_json_blocking`](Self::publish_json_blocking).
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// TracedProducer::new(client.get_connection()?, Form::Binary).spublish_json_blocking("orders", &[1, 2])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`publish_json_blocking`](Self::publish_json_blocking).
    pub fn spublish_json_blocking<T>(&mut self, channel: impl AsRef<[u8]>, payload: &T) -> RedisResult<usize>
    where
        T: Serialize + ?Sized,
    {
        self.send_blocking(Command::Spublish, channel.as_ref(), &Json::of(payload))
    }

    fn send_blocking(&mut self, command: Command, channel: &[u8], body: &impl Body) -> RedisResult<usize> {
        let (span, command) = self.publisher.send(command, channel, body)?;
        span.in_scope_with(|| command.query(&mut self.connection), error::of_result)
    }
}
