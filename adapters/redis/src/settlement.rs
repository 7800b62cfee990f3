//! Acknowledging entries, with a span for those who ask for one.

use crate::source::Source;
use crate::{Entry, StreamConsumer, error};
use opentelemetry::trace::SpanContext;
use redis::{Cmd, RedisError, RedisResult, ToRedisArgs};
use std::fmt::Display;
use traced_envelope::{MessageSpan, Operation, Outcome};

impl<C> StreamConsumer<C> {
    /// `XACK`: takes entries off the group's list of those that are pending. How many of them were on it. Where
    /// [`Settings::settle_spans`](traced_envelope::Settings::settle_spans) asks for it, the call is a span `xack {stream}`.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # async fn write_all(_: &[Entry]) -> redis::RedisResult<()> { Ok(()) }
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>, entries: Vec<Entry>) -> redis::RedisResult<()> {
    /// write_all(&entries).await?;
    /// let ids: Vec<_> = entries.iter().map(Entry::id).collect();
    /// assert_eq!(consumer.xack("orders", "inventory", &ids).await?, ids.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As redis': dropped before it has returned, the command may or may not be on its way.
    #[cfg(feature = "tokio")]
    pub async fn xack<K, G, I>(&mut self, key: K, group: G, ids: &[I]) -> RedisResult<usize>
    where
        C: redis::aio::ConnectionLike,
        K: ToRedisArgs,
        G: ToRedisArgs,
        I: ToRedisArgs,
    {
        let span = self.source.settle(&key, &group, ids);
        let command = Cmd::xack(key, group, ids);
        span.run_with(command.query_async(&mut self.connection), error::of_result).await
    }

    /// [`xack`](Self::xack) over a synchronous connection.
    ///
    /// ```no_run
    /// use traced_redis::StreamConsumer;
    ///
    /// # fn example(mut consumer: StreamConsumer<redis::Connection>, id: &str) -> redis::RedisResult<()> {
    /// consumer.xack_blocking("orders", "inventory", &[id])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xack_blocking<K, G, I>(&mut self, key: K, group: G, ids: &[I]) -> RedisResult<usize>
    where
        C: redis::ConnectionLike,
        K: ToRedisArgs,
        G: ToRedisArgs,
        I: ToRedisArgs,
    {
        let span = self.source.settle(&key, &group, ids);
        span.in_scope_with(|| Cmd::xack(key, group, ids).query(&mut self.connection), error::of_result)
    }
}

impl Source {
    /// One entry is named, several are counted: `messaging.batch.message_count` is not for "spans that operate with a single message".
    fn settle(&self, key: &impl ToRedisArgs, group: &impl ToRedisArgs, ids: &[impl ToRedisArgs]) -> MessageSpan {
        if !self.telemetry.makes_settle_spans() {
            return MessageSpan::off();
        }
        let (key, group, ids) = (key.to_redis_args(), group.to_redis_args(), ids.to_redis_args());
        let destination = self.of_stream(key.first().map_or(b"", Vec::as_slice), group.first().map(Vec::as_slice));
        let operation = Operation::new("xack", &destination);
        let operation = match &ids[..] {
            [one] => operation.message_id(str::from_utf8(one).ok()),
            many => operation.batch(many.len()),
        };
        self.telemetry.settle(operation, [])
    }
}

/// The acknowledgement of one entry.
pub(crate) struct Settlement {
    command: Cmd,
    source: Source,
    /// Where there are settle spans: what they say of the entry.
    entry: Option<(Entry, SpanContext)>,
}

impl Source {
    /// `None` for an entry that waits for no acknowledgement.
    pub(crate) fn settlement(&self, entry: &Entry) -> Option<Settlement> {
        let group = entry.group().filter(|_| entry.delivery.is_pending)?;
        let command = Cmd::xack(entry.stream(), group, &[entry.id()]);
        let described = self.telemetry.makes_settle_spans().then(|| (entry.without_fields(), self.creation(entry)));
        Some(Settlement { command, source: self.clone(), entry: described })
    }
}

impl Settlement {
    #[cfg(feature = "tokio")]
    pub(crate) async fn run<C: redis::aio::ConnectionLike>(self, connection: &mut C) -> RedisResult<usize> {
        self.span().run_with(self.command.query_async(connection), error::of_result).await
    }

    pub(crate) fn run_blocking<C: redis::ConnectionLike>(self, connection: &mut C) -> RedisResult<usize> {
        self.span().in_scope_with(|| self.command.query(connection), error::of_result)
    }

    fn span(&self) -> MessageSpan {
        let Some((entry, creation)) = &self.entry else { return MessageSpan::off() };
        let destination = self.source.of_stream(entry.stream(), entry.group());
        let operation = Operation::new("xack", &destination).message_id(entry.id());
        self.source.telemetry.settle(operation, [creation.clone()])
    }
}

/// What the caller gets, and the span's outcome where it is the acknowledgement's.
pub(crate) type Ended<T, E> = (Result<T, E>, Option<Outcome>);

/// An acknowledgement that failed has the name that it has elsewhere, not that of the error that the application makes of it.
pub(crate) fn settled<T, E: From<RedisError>>(output: T, acknowledged: RedisResult<usize>) -> Ended<T, E> {
    match acknowledged {
        Ok(_) => (Ok(output), None),
        Err(error) => {
            let outcome = error::of_error(&error);
            (Err(error.into()), Some(outcome))
        }
    }
}

pub(crate) fn outcome<T, E: Display + 'static>(source: &Source, (output, settled): &Ended<T, E>) -> Outcome {
    settled.clone().unwrap_or_else(|| source.telemetry.outcome(output))
}
