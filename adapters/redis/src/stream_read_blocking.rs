//! `XREAD` and `XREADGROUP` over synchronous connections.

use crate::reading::Reading;
use crate::{Entry, StreamConsumer, TracedEntry, entries, pending};
use redis::streams::StreamReadOptions;
use redis::{ConnectionLike, RedisResult, ToRedisArgs, Value};
use std::time::SystemTime;

impl<C: ConnectionLike> StreamConsumer<C> {
    /// `XREAD` without options over a synchronous connection: the entries of these streams after these ids, in one list.
    ///
    /// ```no_run
    /// use traced_redis::StreamConsumer;
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// let entries = StreamConsumer::new(client.get_connection()?).xread_blocking(&["orders"], &["0"])?;
    /// assert!(entries.iter().all(|entry| entry.get_ref().stream() == b"orders"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xread_blocking<K, I>(&mut self, keys: &[K], ids: &[I]) -> RedisResult<Vec<TracedEntry>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
    {
        self.xread_options_blocking(keys, ids, &StreamReadOptions::default())
    }

    /// `XREADGROUP` where the options have a group, else `XREAD`, over a synchronous connection: the entries of these streams, in one
    /// list; empty if there are none, or if none came in time. A connection that has a read timeout needs pieces too: a long `BLOCK` goes
    /// in [pieces](Self::longest_block), as it does over an asynchronous one.
    ///
    /// ```no_run
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # fn handle(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(connection: redis::Connection) -> redis::RedisResult<()> {
    /// let mut consumer = StreamConsumer::new(connection);
    /// let options = StreamReadOptions::default().group("inventory", "worker-1").count(10).block(5000);
    /// for entry in consumer.xread_options_blocking(&["orders"], &[">"], &options)? {
    ///     entry.process_and_settle_blocking(consumer.get_mut(), |entry| handle(&entry))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged. Of a failed read of a group nobody knows whether entries were delivered: they are pending then.
    pub fn xread_options_blocking<K, I>(
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
        let read = self.read_blocking(&mut reading);
        let mut entries = read.inspect_err(|error| {
            self.source.receive_failed(reading.operation(), &reading.asked(), started, error);
        })?;
        self.count_blocking(&mut entries, reading.consumer());
        Ok(self.received(reading.operation(), entries, started))
    }

    fn read_blocking(&mut self, reading: &mut Reading) -> RedisResult<Vec<Entry>> {
        let mut pieces = reading.pieces(self.longest_block);
        if pieces.are_many() {
            for (place, command) in reading.ends() {
                let last: Value = command.query(&mut self.connection)?;
                reading.begin_after(place, &last);
            }
        }
        loop {
            let piece = pieces.next();
            let reply: Value = reading.command(piece.block).query(&mut self.connection)?;
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
    pub(crate) fn count_blocking(&mut self, entries: &mut [Entry], consumer: Option<&[u8]>) {
        for mut pending in pending::unknown(entries).filter(|_| self.counts_deliveries) {
            let Some(range) = pending.range(consumer) else { continue };
            let Ok(answer) = range.query::<Value>(&mut self.connection) else { continue };
            if let Some(one_by_one) = pending.note(&answer)
                && let Ok(answers) = one_by_one.query::<Vec<Value>>(&mut self.connection)
            {
                pending.note_missing(&answers);
            }
        }
    }
}
