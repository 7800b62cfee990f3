//! Taking over entries over synchronous connections.

use crate::claiming::Claiming;
use crate::{StreamConsumer, TracedAutoClaim, TracedEntry};
use redis::streams::{StreamAutoClaimOptions, StreamClaimOptions};
use redis::{ConnectionLike, RedisResult, ToRedisArgs, ToSingleRedisArg};
use std::time::SystemTime;

impl<C: ConnectionLike> StreamConsumer<C> {
    /// [`xautoclaim_options`](Self::xautoclaim_options) over a synchronous connection.
    ///
    /// ```no_run
    /// use redis::streams::StreamAutoClaimOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # fn reserve(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(mut consumer: StreamConsumer<redis::Connection>) -> redis::RedisResult<()> {
    /// let options = StreamAutoClaimOptions::default().count(10);
    /// let reply = consumer.xautoclaim_options_blocking("orders", "inventory", "worker-2", 60_000, "0-0", options)?;
    /// for entry in reply.claimed {
    ///     entry.process_and_settle_blocking(consumer.get_mut(), |entry| reserve(&entry))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xautoclaim_options_blocking<K, G, N, T, S>(
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
        let claimed = claiming.command.query(&mut self.connection).and_then(|reply| claiming.autoclaimed(reply));
        let (reply, mut entries) = claimed.inspect_err(|error| {
            self.source.receive_failed("xautoclaim", &claiming.asked(), started, error);
        })?;
        self.count_blocking(&mut entries, Some(&claiming.consumer));
        Ok(TracedAutoClaim { claimed: self.received("xautoclaim", entries, started), ..reply })
    }

    /// [`xclaim`](Self::xclaim) over a synchronous connection.
    ///
    /// ```no_run
    /// use traced_redis::StreamConsumer;
    ///
    /// # fn example(mut consumer: StreamConsumer<redis::Connection>, id: &str) -> redis::RedisResult<()> {
    /// let entries = consumer.xclaim_blocking("orders", "inventory", "worker-2", 60_000, &[id])?;
    /// assert!(entries.iter().all(|entry| entry.get_ref().id() == id));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xclaim_blocking<K, G, N, T, I>(
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
        self.xclaim_options_blocking(key, group, consumer, min_idle_time, ids, StreamClaimOptions::default())
    }

    /// [`xclaim_options`](Self::xclaim_options) over a synchronous connection.
    ///
    /// ```no_run
    /// use redis::streams::StreamClaimOptions;
    /// use traced_redis::StreamConsumer;
    ///
    /// # fn example(mut consumer: StreamConsumer<redis::Connection>, id: &str) -> redis::RedisResult<()> {
    /// let ids_only = StreamClaimOptions::default().with_justid();
    /// let entries = consumer.xclaim_options_blocking("orders", "inventory", "worker-2", 0, &[id], ids_only)?;
    /// assert!(entries.iter().all(|entry| entry.get_ref().fields().is_empty()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xclaim_options_blocking<K, G, N, T, I>(
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
        let claimed = claiming.command.query(&mut self.connection).and_then(|reply| claiming.claimed(reply));
        let mut entries = claimed.inspect_err(|error| {
            self.source.receive_failed("xclaim", &claiming.asked(), started, error);
        })?;
        self.count_blocking(&mut entries, Some(&claiming.consumer));
        Ok(self.received("xclaim", entries, started))
    }
}
