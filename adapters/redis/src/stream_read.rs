//! `XREAD` and `XREADGROUP` over asynchronous connections.

use crate::reading::Reading;
use crate::{Entry, StreamConsumer, TracedEntry, entries, pending};
use redis::aio::ConnectionLike;
use redis::streams::StreamReadOptions;
use redis::{RedisResult, ToRedisArgs, Value};
use std::time::SystemTime;

impl<C: ConnectionLike> StreamConsumer<C> {
    /// `XREAD` without options: the entries of these streams after these ids, in one list; empty if there are none.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// for entry in StreamConsumer::new(connection).xread(&["orders"], &["0"]).await? {
    ///     entry.process(async |entry| Ok::<_, redis::RedisError>(assert_eq!(entry.stream(), b"orders"))).await?;
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
    /// As [`xread_options`](Self::xread_options).
    pub async fn xread<K, I>(&mut self, keys: &[K], ids: &[I]) -> RedisResult<Vec<TracedEntry>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
    {
        self.xread_options(keys, ids, &StreamReadOptions::default()).await
    }

    /// `XREADGROUP` where the options have a group, else `XREAD`: the entries of these streams, in one list; empty if there are none, or
    /// if none came in time. A read that brought entries makes a receive span where
    /// [`Settings::receive_spans`](traced_envelope::Settings::receive_spans) asks for it, as does one that failed; an empty one makes none.
    ///
    /// A long `BLOCK` goes in [pieces](Self::longest_block). Reading from the end (`$`) then first asks for the stream's end, so that nothing is
    /// lost between two of them.
    ///
    /// An entry that was deleted while it was pending comes without fields, with an id other than `>`.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut consumer = StreamConsumer::new(connection);
    /// let options = StreamReadOptions::default().group("inventory", "worker-1").count(10).block(5000);
    /// for entry in consumer.xread_options(&["orders", "returns"], &[">", ">"], &options).await? {
    ///     assert_eq!(entry.attempt(), 1);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged. Of a failed read of a group nobody knows whether entries were delivered: they are pending then.
    ///
    /// # Cancel safety
    ///
    /// Without a group nothing is lost. With one, entries may have been delivered when it is dropped, as with redis' own: they are pending,
    /// and come again for the id `0`, or by [`xautoclaim_options`](Self::xautoclaim_options).
    pub async fn xread_options<K, I>(
        &mut self,
        keys: &[K],
        ids: &[I],
        options: &StreamReadOptions,
    ) -> RedisResult<Vec<TracedEntry>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
    {
        let started = SystemTime::now();
        let mut reading = Reading::new(keys, ids, options);
        let read = self.read(&mut reading).await;
        let mut entries = read.inspect_err(|error| {
            self.source.receive_failed(reading.operation(), &reading.asked(), started, error);
        })?;
        self.count(&mut entries, reading.consumer()).await;
        Ok(self.received(reading.operation(), entries, started))
    }

    async fn read(&mut self, reading: &mut Reading) -> RedisResult<Vec<Entry>> {
        let mut pieces = reading.pieces(self.longest_block);
        if pieces.are_many() {
            for (place, command) in reading.ends() {
                let last: Value = command.query_async(&mut self.connection).await?;
                reading.begin_after(place, &last);
            }
        }
        loop {
            let piece = pieces.next();
            let reply: Value = reading.command(piece.block).query_async(&mut self.connection).await?;
            if let Some(entries) = entries::of_read(reply, |stream| reading.delivery(stream))? {
                return Ok(entries);
            }
            if piece.is_last {
                return Ok(Vec::new());
            }
            reading.nothing_yet();
        }
    }

    /// Asks how often the entries were delivered, which this consumer has got.
    pub(crate) async fn count(&mut self, entries: &mut [Entry], consumer: Option<&[u8]>) {
        for mut pending in pending::unknown(entries).filter(|_| self.counts_deliveries) {
            let Some(range) = pending.range(consumer) else { continue };
            let Ok(answer) = range.query_async::<Value>(&mut self.connection).await else { continue };
            if let Some(one_by_one) = pending.note(&answer)
                && let Ok(answers) = one_by_one.query_async::<Vec<Value>>(&mut self.connection).await
            {
                pending.note_missing(&answers);
            }
        }
    }
}
