//! An entry and its process span.

use crate::Entry;
use crate::attempt::least_attempt;
use crate::open_entry::OpenEntry;
use crate::settlement::{outcome, settled};
use crate::source::Source;
use redis::RedisError;
use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use traced_envelope::Outcome;

/// An entry of a stream that knows how to be processed inside a span.
///
/// The span starts when the handler does, not before. [`process_and_settle`](Self::process_and_settle) is the usual way for a consumer
/// group, [`process`](Self::process) without one; [`start`](Self::start) is for entries that are acknowledged elsewhere. It owns the
/// entry, so that it can be given to another task as it is.
///
/// ```
/// use traced_redis::envelope::testing::Capture;
/// use traced_redis::{Entry, StreamConsumer, redis::streams::StreamId};
///
/// let capture = Capture::new();
/// let consumer = StreamConsumer::with_settings((), &capture.settings("warehouse"));
/// let entry = consumer.wrap(Entry::new("orders", StreamId::default()));
/// assert_eq!(entry.process_blocking(|entry| Ok::<_, std::io::Error>(entry.fields().len())).ok(), Some(0));
/// capture.assert_trace("process orders  warehouse  CONSUMER");
/// ```
#[derive(Clone)]
pub struct TracedEntry {
    entry: Entry,
    source: Arc<Source>,
}

impl TracedEntry {
    pub(crate) fn new(entry: Entry, source: Arc<Source>) -> Self {
        Self { entry, source }
    }

    /// The entry.
    ///
    /// ```
    /// # use traced_redis::{Entry, StreamConsumer, redis::streams::StreamId};
    /// # let native = StreamId { id: "1700000000000-0".to_owned(), ..StreamId::default() };
    /// let entry = StreamConsumer::new(()).wrap(Entry::new("orders", native));
    /// assert_eq!(entry.get_ref().id(), "1700000000000-0");
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Entry {
        &self.entry
    }

    /// Gives the entry back; no span is made.
    ///
    /// ```
    /// use traced_redis::redis::streams::StreamId;
    /// # use traced_redis::{Entry, StreamConsumer};
    /// # let entry = StreamConsumer::new(()).wrap(Entry::new("orders", StreamId { id: "1-0".to_owned(), ..StreamId::default() }));
    /// let native: StreamId = entry.into_inner().into();
    /// assert_eq!(native.id, "1-0");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Entry {
        self.entry
    }

    /// Which attempt at the entry this is, 1 for the first, and where nothing tells: by the group's count of its deliveries, and the field
    /// `x-attempt` of [`TracedProducer::retry`](crate::TracedProducer::retry). Of an entry that was claimed or read again it is at least 2,
    /// also where the group could not be asked; the span has no attempt then.
    ///
    /// ```
    /// use traced_redis::redis::{Value, streams::StreamId};
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// let consumer = StreamConsumer::new(());
    /// let mut native = StreamId::default();
    /// assert_eq!(consumer.wrap(Entry::new("orders", native.clone())).attempt(), 1);
    /// native.map.insert("x-attempt".to_owned(), Value::BulkString(b"3".to_vec()));
    /// assert_eq!(consumer.wrap(Entry::new("orders", native)).attempt(), 3);
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        least_attempt(&self.entry)
    }

    /// Runs the handler inside a span `process {stream}`; spans that it makes are children. Its result comes back unchanged and decides
    /// the span's status. The entry is not acknowledged: the handler does that, or the caller afterwards.
    ///
    /// A task that the handler spawns does not inherit the span's context; `with_current_context()` of OpenTelemetry's `FutureExt`
    /// carries it over:
    ///
    /// ```no_run
    /// use opentelemetry::context::FutureExt;
    /// use traced_redis::{Entry, TracedEntry};
    ///
    /// # async fn index(_: Entry) {}
    /// # async fn example(entry: TracedEntry) -> Result<(), std::io::Error> {
    /// entry
    ///     .process(async |entry| {
    ///         tokio::spawn(index(entry).with_current_context()); // without it: a trace of its own
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the handler is dropped and the span ends as `cancelled`.
    pub async fn process<H, F, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(Entry) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let span = self.source.process_entry(&self.entry);
        let entry = self.entry;
        span.run(async move { handler(entry).await }).await
    }

    /// The same for a handler whose output is no `Result`: `classify` says how it ended.
    ///
    /// ```no_run
    /// use traced_redis::{Entry, Outcome, TracedEntry};
    ///
    /// # async fn store(_: &Entry) -> usize { 1 }
    /// # async fn example(entry: TracedEntry) {
    /// let rows = entry.process_with(async |entry| store(&entry).await, |rows| match rows {
    ///     0 => Outcome::error("nothing_stored", "no row was written"),
    ///     _ => Outcome::Ok,
    /// });
    /// assert_eq!(rows.await, 1);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`process`](Self::process).
    pub async fn process_with<H, F>(self, handler: H, classify: impl FnOnce(&F::Output) -> Outcome) -> F::Output
    where
        H: FnOnce(Entry) -> F,
        F: Future,
    {
        let span = self.source.process_entry(&self.entry);
        let entry = self.entry;
        span.run_with(async move { handler(entry).await }, classify).await
    }

    /// [`process`](Self::process) for a handler that is no future.
    ///
    /// ```no_run
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # fn handle(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(connection: redis::Connection) -> redis::RedisResult<()> {
    /// let mut consumer = StreamConsumer::new(connection);
    /// for entry in consumer.xread_blocking(&["orders"], &["0"])? {
    ///     entry.process_blocking(|entry| handle(&entry))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    pub fn process_blocking<H, T, E>(self, handler: H) -> Result<T, E>
    where
        H: FnOnce(Entry) -> Result<T, E>,
        E: Display + 'static,
    {
        let span = self.source.process_entry(&self.entry);
        let entry = self.entry;
        span.in_scope(|| handler(entry))
    }

    /// [`process`](Self::process), and acknowledges the entry if the handler succeeded, by `XACK` over this connection: the
    /// consumer's own ([`StreamConsumer::get_mut`](crate::StreamConsumer::get_mut)) where no read waits on it meanwhile, else another one. If the
    /// handler failed, the entry stays pending, to be [claimed](crate::StreamConsumer::xautoclaim_options) after a while. An entry that
    /// was read without a group, or with `NOACK`, is not pending: nothing is sent.
    ///
    /// ```no_run
    /// use redis::RedisResult;
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # async fn reserve(_: &Entry) -> RedisResult<()> { Ok(()) }
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>, mut other: MultiplexedConnection) -> RedisResult<()> {
    /// let options = StreamReadOptions::default().group("inventory", "worker-1").count(10).block(5000);
    /// for entry in consumer.xread_options(&["orders"], &[">"], &options).await? {
    ///     let mut connection = other.clone(); // several at a time
    ///     tokio::spawn(async move {
    ///         entry.process_and_settle(&mut connection, async |entry| reserve(&entry).await).await
    ///     });
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged; redis', if the handler succeeded but the acknowledgement failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the entry may be acknowledged only if the handler had succeeded; else it stays pending.
    #[cfg(feature = "tokio")]
    pub async fn process_and_settle<C, H, F, T, E>(self, connection: &mut C, handler: H) -> Result<T, E>
    where
        C: redis::aio::ConnectionLike,
        H: FnOnce(Entry) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<RedisError> + Display + 'static,
    {
        let settlement = self.source.settlement(&self.entry);
        let Self { entry, source } = self;
        let span = source.process_entry(&entry);
        let run = async {
            let output = match handler(entry).await {
                Ok(output) => output,
                Err(error) => return (Err(error), None),
            };
            let Some(settlement) = settlement else { return (Ok(output), None) };
            settled(output, settlement.run(connection).await)
        };
        span.run_with(run, |ended| outcome(&source, ended)).await.0
    }

    /// [`process_and_settle`](Self::process_and_settle) for a handler that is no future, and a synchronous connection.
    ///
    /// ```no_run
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # fn handle(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(connection: redis::Connection) -> redis::RedisResult<()> {
    /// let mut consumer = StreamConsumer::new(connection);
    /// let options = StreamReadOptions::default().group("inventory", "worker-1").block(5000);
    /// for entry in consumer.xread_options_blocking(&["orders"], &[">"], &options)? {
    ///     entry.process_and_settle_blocking(consumer.get_mut(), |entry| handle(&entry))?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged; redis', if the handler succeeded but the acknowledgement failed.
    pub fn process_and_settle_blocking<C, H, T, E>(self, connection: &mut C, handler: H) -> Result<T, E>
    where
        C: redis::ConnectionLike,
        H: FnOnce(Entry) -> Result<T, E>,
        E: From<RedisError> + Display + 'static,
    {
        let settlement = self.source.settlement(&self.entry);
        let Self { entry, source } = self;
        let span = source.process_entry(&entry);
        let run = || {
            let output = match handler(entry) {
                Ok(output) => output,
                Err(error) => return (Err(error), None),
            };
            let Some(settlement) = settlement else { return (Ok(output), None) };
            settled(output, settlement.run_blocking(connection))
        };
        span.in_scope_with(run, |ended| outcome(&source, ended)).0
    }

    /// Starts the span now and leaves it open until the entry is acknowledged or finished with, for consumers that do so elsewhere or
    /// later.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::TracedEntry;
    ///
    /// # async fn example(entry: TracedEntry, mut connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// assert_eq!(entry.start().ack(&mut connection).await?, 1);
    /// # Ok(()) }
    /// ```
    pub fn start(self) -> OpenEntry {
        let span = self.source.process_entry(&self.entry);
        OpenEntry::new(self.entry, self.source, span)
    }
}

impl fmt::Debug for TracedEntry {
    /// The fields are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedEntry").field("entry", &self.entry).finish_non_exhaustive()
    }
}
