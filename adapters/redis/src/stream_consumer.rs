//! Reading streams.

use crate::source::Source;
use crate::{Entry, TracedEntry};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use traced_envelope::{Settings, Status};

/// A connection that reads streams, for a consumer group or without one, and whose entries are processed inside spans.
///
/// The connection is any of redis': asynchronous ones have the methods with the commands' names, synchronous ones those that end in
/// `_blocking`. Commands, arguments and options are redis' own; the entries come in one list, and each knows its stream.
///
/// A read that waits (`BLOCK`) is sent in pieces of a quarter of a second, one after the other until something comes or the time is up. An
/// asynchronous connection of redis gives up on an answer after half a second unless it was made with another limit: a longer `BLOCK` in one
/// piece would fail every time, and the entries that come too late would be delivered to nobody. Other commands on the same connection
/// wait as long as a piece, so that reads which wait are best given a connection of their own; two of them on one connection do fail.
///
/// ```no_run
/// use redis::aio::{ConnectionManager, MultiplexedConnection};
/// use redis::streams::StreamReadOptions;
/// use traced_redis::{Entry, StreamConsumer};
///
/// # async fn reserve(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
/// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
/// let mut consumer = StreamConsumer::new(connection);
/// let options = StreamReadOptions::default().group("inventory", "worker-1").count(10).block(5000);
/// loop {
///     for entry in consumer.xread_options(&["orders"], &[">"], &options).await? {
///         entry.process_and_settle(consumer.get_mut(), async |entry| reserve(&entry).await).await?; // acknowledges it
///     }
/// }
/// # }
/// ```
///
/// # Entries that nobody acknowledged
///
/// What was delivered to a consumer that crashed, or whose read was cut off, stays pending. Read it again with the id `0` instead of `>`
/// when the consumer starts, or let others [claim](Self::xautoclaim_options) it after a while: how often it was delivered is its
/// [attempt](TracedEntry::attempt).
#[derive(Clone)]
pub struct StreamConsumer<C> {
    pub(crate) connection: C,
    pub(crate) source: Arc<Source>,
    pub(crate) longest_block: Duration,
    pub(crate) counts_deliveries: bool,
}

impl<C> StreamConsumer<C> {
    /// Reads over this connection, with the process-wide providers and propagator.
    ///
    /// ```
    /// use traced_redis::StreamConsumer;
    ///
    /// let wrapping = StreamConsumer::new(()); // no connection: for entries that come another way
    /// assert_eq!(wrapping.into_inner(), ());
    /// ```
    #[must_use]
    pub fn new(connection: C) -> Self {
        Self::with_settings(connection, &Settings::default())
    }

    /// Reads over this connection, with settings of its own. The consumer group is that of the read; redis hides the server's address:
    /// [`Settings::server`] adds it to the spans.
    ///
    /// ```no_run
    /// use traced_redis::{Settings, StreamConsumer};
    ///
    /// # fn example(client: redis::Client) {
    /// let settings = Settings::default().server("redis.internal", 6379);
    /// let consumer = StreamConsumer::with_settings(client, &settings);
    /// # }
    /// ```
    #[must_use]
    pub fn with_settings(connection: C, settings: &Settings) -> Self {
        Self {
            connection,
            source: Arc::new(Source::new(settings)),
            longest_block: crate::reading::LONGEST_BLOCK,
            counts_deliveries: true,
        }
    }

    /// How long a read may wait in one piece. Default: 250 ms, half of redis' time limit for an answer. [`Duration::MAX`] sends `BLOCK` as it
    /// is given, for a connection of its own that was made without a limit: nothing then comes between two pieces.
    ///
    /// ```no_run
    /// use redis::AsyncConnectionConfig;
    /// use std::time::Duration;
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    /// let connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
    /// let consumer = StreamConsumer::new(connection).longest_block(Duration::MAX);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn longest_block(mut self, longest: Duration) -> Self {
        self.longest_block = longest;
        self
    }

    /// Whether the group is asked how often it has delivered an entry, by `XPENDING`, where the reply does not tell: for entries that were
    /// claimed, or read again. It is one more command, for all entries of a stream together; if it fails, the number is unknown.
    /// Default: yes. Entries that are read for the first time are never asked for.
    ///
    /// Where the consumer has so many other entries pending between those that it just got that the answer has no room for all (twice
    /// as many, and ten), the missing ones are asked for one by one, at most a hundred: of more, the number is unknown.
    ///
    /// ```no_run
    /// use traced_redis::StreamConsumer;
    ///
    /// # fn example(connection: redis::Connection) {
    /// let consumer = StreamConsumer::new(connection).count_deliveries(false);
    /// # }
    /// ```
    #[must_use]
    pub fn count_deliveries(mut self, count: bool) -> Self {
        self.counts_deliveries = count;
        self
    }

    /// Whether a read is a single pull: made inside a span for a reason of its own, as to answer a request, and not one turn of a loop.
    /// Under [`Relation::Auto`](traced_envelope::Relation::Auto) a span that is active around the processing is the parent then, and the
    /// entry's creation context is linked. Default: no. Redis has the same commands for both, so that it has to be said.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # async fn deliver(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut consumer = StreamConsumer::new(connection).pulled(true);
    /// let one = StreamReadOptions::default().group("support", "desk-1").count(1);
    /// if let Some(call) = consumer.xread_options(&["calls"], &[">"], &one).await?.pop() {
    ///     call.process_and_settle(consumer.get_mut(), async |call| deliver(&call).await).await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pulled(mut self, pulled: bool) -> Self {
        Arc::make_mut(&mut self.source).pulled = pulled;
        self
    }

    /// The connection.
    ///
    /// ```no_run
    /// use redis::aio::{ConnectionLike, MultiplexedConnection};
    /// use traced_redis::StreamConsumer;
    ///
    /// # fn example(consumer: &StreamConsumer<MultiplexedConnection>) {
    /// assert_eq!(consumer.get_ref().get_db(), 0);
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &C {
        &self.connection
    }

    /// The connection, for acknowledgements and all other commands: they make no spans.
    ///
    /// ```no_run
    /// use redis::{AsyncCommands, aio::MultiplexedConnection};
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let waiting: usize = consumer.get_mut().xlen("orders").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Gives the connection back.
    ///
    /// ```no_run
    /// use redis::{AsyncCommands, aio::MultiplexedConnection};
    /// use traced_redis::StreamConsumer;
    ///
    /// # async fn example(consumer: StreamConsumer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let gone: bool = consumer.into_inner().xgroup_delconsumer("orders", "inventory", "worker-1").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> C {
        self.connection
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_redis::envelope::Status;
    /// use traced_redis::StreamConsumer;
    ///
    /// assert_eq!(StreamConsumer::new(()).status(), Status::NoMessageYet);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.source.telemetry.status()
    }

    /// Wraps an entry that came another way than through this.
    ///
    /// ```no_run
    /// use redis::streams::StreamReadReply;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # fn handle(_: &Entry) -> std::io::Result<()> { Ok(()) }
    /// # fn example(consumer: StreamConsumer<()>, reply: StreamReadReply) -> std::io::Result<()> {
    /// for stream in reply.keys {
    ///     for entry in stream.ids {
    ///         let entry = consumer.wrap(Entry::new(&stream.key, entry).of_group("inventory"));
    ///         entry.process_blocking(|entry| handle(&entry))?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn wrap(&self, entry: Entry) -> TracedEntry {
        TracedEntry::new(entry, Arc::clone(&self.source))
    }
}

impl<C> fmt::Debug for StreamConsumer<C> {
    /// Most of redis' connections have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StreamConsumer")
            .field("source", &self.source)
            .field("longest_block", &self.longest_block)
            .finish_non_exhaustive()
    }
}
