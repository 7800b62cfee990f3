//! Taking over entries that another consumer has left pending, over asynchronous connections.

use crate::claiming::Claiming;
use crate::{StreamConsumer, TracedAutoClaim, TracedEntry};
use redis::aio::ConnectionLike;
use redis::streams::{StreamAutoClaimOptions, StreamClaimOptions};
use redis::{RedisResult, ToRedisArgs, ToSingleRedisArg};
use std::time::SystemTime;

impl<C: ConnectionLike> StreamConsumer<C> {
    /// `XAUTOCLAIM`: takes over entries that have been pending for at least so many milliseconds, each with its
    /// [attempt](TracedEntry::attempt). Claims that brought entries, or failed, make a receive span
    /// where [`Settings::receive_spans`](traced_envelope::Settings::receive_spans) asks for it.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamAutoClaimOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # async fn reserve(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let options = StreamAutoClaimOptions::default().count(10);
    /// let reply = consumer.xautoclaim_options("orders", "inventory", "worker-2", 60_000, "0-0", options).await?;
    /// for entry in reply.claimed {
    ///     assert!(entry.attempt() > 1);
    ///     entry.process_and_settle(consumer.get_mut(), async |entry| reserve(&entry).await).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As redis': dropped before it has returned, entries may have been claimed. They are pending, and can be claimed again.
    pub async fn xautoclaim_options<K, G, N, T, S>(
        &mut self,
        key: K,
        group: G,
        consumer: N,
        min_idle_time: T,
        start: S,
        options: StreamAutoClaimOptions,
    ) -> RedisResult<TracedAutoClaim>
    where
        K: ToSingleRedisArg,
        G: ToRedisArgs,
        N: ToRedisArgs,
        T: ToRedisArgs,
        S: ToRedisArgs,
    {
        let started = SystemTime::now();
        let claiming = Claiming::automatically((key, group, consumer, min_idle_time, start), options);
        let claimed =
            claiming.command.query_async(&mut self.connection).await.and_then(|reply| claiming.autoclaimed(reply));
        let (reply, mut entries) = claimed.inspect_err(|error| {
            self.source.receive_failed("xautoclaim", &claiming.asked(), started, error);
        })?;
        self.count(&mut entries, Some(&claiming.consumer)).await;
        Ok(TracedAutoClaim { claimed: self.received("xautoclaim", entries, started), ..reply })
    }

    /// `XCLAIM` without options: takes over these entries, if they have been pending for at least so many milliseconds.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>, id: &str) -> redis::RedisResult<()> {
    /// for entry in consumer.xclaim("orders", "inventory", "worker-2", 60_000, &[id]).await? {
    ///     entry.process_and_settle(consumer.get_mut(), async |_| redis::RedisResult::Ok(())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`xautoclaim_options`](Self::xautoclaim_options).
    pub async fn xclaim<K, G, N, T, I>(
        &mut self,
        key: K,
        group: G,
        consumer: N,
        min_idle_time: T,
        ids: &[I],
    ) -> RedisResult<Vec<TracedEntry>>
    where
        K: ToSingleRedisArg,
        G: ToRedisArgs,
        N: ToRedisArgs,
        T: ToRedisArgs,
        I: ToRedisArgs,
    {
        self.xclaim_options(key, group, consumer, min_idle_time, ids, StreamClaimOptions::default()).await
    }

    /// `XCLAIM`: takes over these entries. With [`with_justid`](StreamClaimOptions::with_justid) they come without fields.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamClaimOptions;
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>, id: &str) -> redis::RedisResult<()> {
    /// let options = StreamClaimOptions::default().retry(5);
    /// let entries = consumer.xclaim_options("orders", "inventory", "worker-2", 60_000, &[id], options).await?;
    /// assert!(entries.iter().all(|entry| entry.attempt() == 5));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`xautoclaim_options`](Self::xautoclaim_options).
    pub async fn xclaim_options<K, G, N, T, I>(
        &mut self,
        key: K,
        group: G,
        consumer: N,
        min_idle_time: T,
        ids: &[I],
        options: StreamClaimOptions,
    ) -> RedisResult<Vec<TracedEntry>>
    where
        K: ToSingleRedisArg,
        G: ToRedisArgs,
        N: ToRedisArgs,
        T: ToRedisArgs,
        I: ToRedisArgs,
    {
        let started = SystemTime::now();
        let claiming = Claiming::these((key, group, consumer, min_idle_time), ids, options);
        let claimed =
            claiming.command.query_async(&mut self.connection).await.and_then(|reply| claiming.claimed(reply));
        let mut entries = claimed.inspect_err(|error| {
            self.source.receive_failed("xclaim", &claiming.asked(), started, error);
        })?;
        self.count(&mut entries, Some(&claiming.consumer)).await;
        Ok(self.received("xclaim", entries, started))
    }
}
