//! What claims send, and what they bring.

use crate::entry::Delivery;
use crate::{Entry, TracedEntry, entries};
use redis::streams::{StreamAutoClaimOptions, StreamClaimOptions};
use redis::{Cmd, RedisResult, ToRedisArgs, ToSingleRedisArg, Value};
use std::sync::Arc;

/// What [`StreamConsumer::xautoclaim_options`](crate::StreamConsumer::xautoclaim_options) brought, under the names that redis gives it.
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
    stream: Arc<[u8]>,
    delivery: Delivery,
}

impl Claiming {
    fn new(key: &impl ToRedisArgs, group: &impl ToRedisArgs, command: impl FnOnce() -> Cmd) -> Self {
        let first = |value: Vec<Vec<u8>>| value.into_iter().next().unwrap_or_default();
        let group = Some(first(group.to_redis_args()).into());
        let delivery = Delivery { group, is_pending: true, deliveries: None };
        Self { stream: first(key.to_redis_args()).into(), delivery, command: command() }
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
        command.arg(&key).arg(&group).arg(consumer).arg(min_idle_time).arg(start).arg(options);
        Self::new(&key, &group, || command)
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
        command.arg(&key).arg(&group).arg(consumer).arg(min_idle_time).arg(ids).arg(options);
        Self::new(&key, &group, || command)
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
