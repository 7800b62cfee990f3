//! Processing many entries in one span.

use crate::attempt::attempt;
use crate::receiving::of_group;
use crate::source::Source;
use crate::{Entry, HeaderExtractor, StreamConsumer, TracedEntry};
use opentelemetry::propagation::Extractor;
use std::fmt::Display;
use std::future::Future;
use traced_envelope::semconv::{ATTEMPT, DESTINATION_NAME, MESSAGE_ID};
use traced_envelope::{Destination, Fact, MessageSpan, Operation, shared};

impl<C> StreamConsumer<C> {
    /// Runs the handler with many entries inside one span, which links each one's creation context (each once, at most 128) and carries
    /// no single entry's baggage. What differs between the entries stands on their links: the id always, the stream where it is not the
    /// same for all, the attempt where it is not the first. The entries are not acknowledged: the handler does that, or the caller
    /// afterwards.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamReadOptions;
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # async fn write_all(_: &[Entry]) -> redis::RedisResult<Vec<String>> { Ok(Vec::new()) }
    /// # async fn example(mut consumer: StreamConsumer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let options = StreamReadOptions::default().group("inventory", "worker-1").count(100).block(1000);
    /// let entries = consumer.xread_options(&["orders"], &[">"], &options).await?;
    /// if !entries.is_empty() {
    ///     let ids = consumer.process_batch(entries, async |entries| write_all(&entries).await).await?;
    ///     consumer.xack("orders", "inventory", &ids).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`TracedEntry::process`].
    pub async fn process_batch<H, F, T, E>(&self, entries: Vec<TracedEntry>, handler: H) -> Result<T, E>
    where
        H: FnOnce(Vec<Entry>) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let entries: Vec<Entry> = entries.into_iter().map(TracedEntry::into_inner).collect();
        let span = self.source.process_entries(&entries);
        span.run(async move { handler(entries).await }).await
    }

    /// [`process_batch`](Self::process_batch) for a handler that is no future.
    ///
    /// ```no_run
    /// use traced_redis::{Entry, StreamConsumer};
    ///
    /// # fn write_all(_: &[Entry]) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(mut consumer: StreamConsumer<redis::Connection>) -> redis::RedisResult<()> {
    /// let entries = consumer.xread_blocking(&["orders"], &["0"])?;
    /// consumer.process_batch_blocking(entries, |entries| write_all(&entries))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    pub fn process_batch_blocking<H, T, E>(&self, entries: Vec<TracedEntry>, handler: H) -> Result<T, E>
    where
        H: FnOnce(Vec<Entry>) -> Result<T, E>,
        E: Display + 'static,
    {
        let entries: Vec<Entry> = entries.into_iter().map(TracedEntry::into_inner).collect();
        let span = self.source.process_entries(&entries);
        span.in_scope(|| handler(entries))
    }
}

impl Source {
    fn process_entries(&self, entries: &[Entry]) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let stream = shared(entries.iter().map(Entry::stream));
        let group = shared(entries.iter().map(Entry::group));
        let destination = match (entries.first().filter(|_| group.is_some()), stream) {
            (Some(first), Some(stream)) => self.of_stream(stream, first.group()),
            (Some(first), None) => self.telemetry.prepare("process", of_group(first.group())),
            (None, _) => self.telemetry.prepare("process", Destination::default()),
        };
        let of_each: Vec<_> =
            entries.iter().map(|entry| (HeaderExtractor(entry), String::from_utf8_lossy(entry.stream()))).collect();
        let messages = entries.iter().zip(&of_each).map(|(entry, (headers, name))| {
            let mut own = vec![(MESSAGE_ID, Fact::Text(entry.id()))];
            if stream.is_none() {
                own.push((DESTINATION_NAME, Fact::Text(name)));
            }
            let again = attempt(entry).filter(|attempt| *attempt > 1);
            own.extend(again.map(|attempt| (ATTEMPT, Fact::Number(attempt.into()))));
            (headers as &dyn Extractor, own)
        });
        let operation = Operation::new("process", &destination).batch(entries.len()).pulled(self.pulled);
        self.telemetry.process_batch(operation, messages)
    }
}
