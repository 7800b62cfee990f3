//! What claims send, and what they bring.

use crate::entry::Delivery;
use crate::receiving::Asked;
use crate::{Entry, TracedEntry, entries};
use redis::streams::{StreamAutoClaimOptions, StreamClaimOptions};
use redis::{Cmd, RedisResult, ToRedisArgs, ToSingleRedisArg, Value};
use std::sync::Arc;

/// What [`StreamConsumer::xautoclaim_options`](crate::StreamConsumer::xautoclaim_options) brought, under the names that redis gives it.
///
/// ```no_run
/// use redis::streams::StreamAutoClaimOptions;
/// use traced_redis::{StreamConsumer, TracedAutoClaim};
///
/// # fn example(mut consumer: StreamConsumer<redis::Connection>) -> redis::RedisResult<()> {
/// let options = StreamAutoClaimOptions::default;
/// let mut start = "0-0".to_owned();
/// loop {
///     let reply: TracedAutoClaim =
///         consumer.xautoclaim_options_blocking("orders", "inventory", "worker-2", 60_000, &start, options())?;
///     for entry in reply.claimed {
///         assert!(entry.attempt() > 1);
///     }
///     start = reply.next_stream_id;
///     if start == "0-0" {
///         break Ok(()); // all have been looked at
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TracedAutoClaim {
    /// Where the next call goes on: `0-0` when all pending entries have been looked at.
    pub next_stream_id: String,
    /// The entries that belong to this consumer now.
    pub claimed: Vec<TracedEntry>,
    /// Ids of entries that were deleted while they were pending, which Redis 7 and later take off the list.
    pub deleted_ids: Vec<String>,
    /// Whether there were such in the reply of an older server, which does not tell their ids.
    pub invalid_entries: bool,
}

/// A command that claims, and what its reply is read with.
pub(crate) struct Claiming {
    pub(crate) command: Cmd,
    /// Who claims.
    pub(crate) consumer: Vec<u8>,
    stream: Arc<[u8]>,
    delivery: Delivery,
}

impl Claiming {
    fn new(command: Cmd, key: &impl ToRedisArgs, group: &impl ToRedisArgs, consumer: &impl ToRedisArgs) -> Self {
        let first = |value: Vec<Vec<u8>>| value.into_iter().next().unwrap_or_default();
        let group = Some(first(group.to_redis_args()).into());
        let delivery = Delivery { group, is_pending: true, deliveries: None, is_again: true };
        let consumer = first(consumer.to_redis_args());
        Self { command, consumer, stream: first(key.to_redis_args()).into(), delivery }
    }

    pub(crate) fn automatically<K, G, N, T, S>(
        (key, group, consumer, min_idle_time, start): (K, G, N, T, S),
        options: StreamAutoClaimOptions,
    ) -> Self
    where
        K: ToSingleRedisArg,
        G: ToRedisArgs,
        N: ToRedisArgs,
        T: ToRedisArgs,
        S: ToRedisArgs,
    {
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(&key).arg(&group).arg(&consumer).arg(min_idle_time).arg(start).arg(options);
        Self::new(command, &key, &group, &consumer)
    }

    pub(crate) fn these<K, G, N, T, I>(
        (key, group, consumer, min_idle_time): (K, G, N, T),
        ids: &[I],
        options: StreamClaimOptions,
    ) -> Self
    where
        K: ToSingleRedisArg,
        G: ToRedisArgs,
        N: ToRedisArgs,
        T: ToRedisArgs,
        I: ToRedisArgs,
    {
        let mut command = redis::cmd("XCLAIM");
        command.arg(&key).arg(&group).arg(&consumer).arg(min_idle_time).arg(ids).arg(options);
        Self::new(command, &key, &group, &consumer)
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { stream: Some(&self.stream), group: self.delivery.group.as_deref() }
    }

    pub(crate) fn claimed(&self, reply: Value) -> RedisResult<Vec<Entry>> {
        Ok(entries::of_list(reply, &self.stream, &self.delivery)?.entries)
    }

    pub(crate) fn autoclaimed(&self, reply: Value) -> RedisResult<(TracedAutoClaim, Vec<Entry>)> {
        let (next_stream_id, claimed, deleted_ids) = entries::of_autoclaim(reply, &self.stream, &self.delivery)?;
        let reply =
            TracedAutoClaim { next_stream_id, claimed: Vec::new(), deleted_ids, invalid_entries: claimed.had_nil };
        Ok((reply, claimed.entries))
    }
}
