//! An entry whose span waits for its end.

use crate::Entry;
use crate::error;
use crate::source::Source;
use opentelemetry::Context;
use redis::RedisResult;
use std::fmt;
use std::sync::Arc;
use traced_envelope::{MessageSpan, Outcome};

/// An entry that is being processed: its span ends when it is acknowledged, finished, or dropped.
///
/// | what happens | outcome of the span |
/// |---|---|
/// | [`ack`](Self::ack), [`ack_blocking`](Self::ack_blocking) | success, or redis' error |
/// | [`finish`](Self::finish) | the one that is given; the entry stays pending |
/// | dropped before | error `cancelled` |
///
/// ```no_run
/// use opentelemetry::context::FutureExt;
/// use redis::aio::MultiplexedConnection;
/// use traced_redis::{Entry, TracedEntry};
///
/// # async fn store(_: &Entry) {}
/// # async fn example(entry: TracedEntry, mut connection: MultiplexedConnection) -> redis::RedisResult<()> {
/// let entry = entry.start();
/// store(entry.get_ref()).with_context(entry.context().clone()).await; // inside the span
/// entry.ack(&mut connection).await?; // ends it
/// # Ok(()) }
/// ```
#[must_use = "the span ends when this is dropped"]
pub struct OpenEntry {
    entry: Entry,
    source: Arc<Source>,
    span: MessageSpan,
    context: Context,
}

impl OpenEntry {
    pub(crate) fn new(entry: Entry, source: Arc<Source>, span: MessageSpan) -> Self {
        let context = span.context().into_owned();
        Self { entry, source, span, context }
    }

    /// The entry.
    ///
    /// ```
    /// # use traced_redis::{Entry, StreamConsumer, redis::streams::StreamId};
    /// # let native = StreamId { id: "1700000000000-0".to_owned(), ..StreamId::default() };
    /// # let entry = StreamConsumer::new(()).wrap(Entry::new("orders", native));
    /// let entry = entry.start();
    /// assert_eq!(entry.get_ref().id(), "1700000000000-0");
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Entry {
        &self.entry
    }

    /// The context of the span: attach it, or run futures with it, so that spans made meanwhile are children.
    ///
    /// ```
    /// use opentelemetry::trace::TraceContextExt;
    /// # use traced_redis::{Entry, Outcome, StreamConsumer, envelope::testing::Capture, redis::streams::StreamId};
    /// # let capture = Capture::new();
    /// # let consumer = StreamConsumer::with_settings((), &capture.settings("warehouse"));
    /// # let entry = consumer.wrap(Entry::new("orders", StreamId::default()));
    ///
    /// let entry = entry.start();
    /// let process = entry.context().span().span_context().span_id();
    /// entry.finish(Outcome::Ok);
    /// assert_eq!(capture.span("process orders").span_id(), process);
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// `XACK` over this connection, which ends the span. 1 where the entry was pending; of one that was read without a group or with
    /// `NOACK` nothing is sent.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::TracedEntry;
    ///
    /// # async fn example(entry: TracedEntry, mut connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let acknowledged = entry.start().ack(&mut connection).await?;
    /// assert_eq!(acknowledged, 1); // 0: it was not pending any more
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it too.
    ///
    /// # Cancel safety
    ///
    /// As redis': dropped before it has returned, the command may or may not be on its way. The span ends as `cancelled`.
    #[cfg(feature = "tokio")]
    pub async fn ack<C: redis::aio::ConnectionLike>(self, connection: &mut C) -> RedisResult<usize> {
        let settlement = self.source.settlement(&self.entry);
        let run = async {
            match settlement {
                Some(settlement) => settlement.run(connection).await,
                None => Ok(0),
            }
        };
        self.span.run_with(run, error::of_result).await
    }

    /// [`ack`](Self::ack) over a synchronous connection.
    ///
    /// ```no_run
    /// use traced_redis::TracedEntry;
    ///
    /// # fn example(entry: TracedEntry, mut connection: redis::Connection) -> redis::RedisResult<()> {
    /// let entry = entry.start();
    /// let inside = entry.context().clone().attach(); // spans made meanwhile are children
    /// drop(inside);
    /// assert_eq!(entry.ack_blocking(&mut connection)?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it too.
    pub fn ack_blocking<C: redis::ConnectionLike>(self, connection: &mut C) -> RedisResult<usize> {
        let settlement = self.source.settlement(&self.entry);
        let run = || settlement.map_or(Ok(0), |settlement| settlement.run_blocking(connection));
        self.span.in_scope_with(run, error::of_result)
    }

    /// Ends the span, and gives the entry back. It stays pending.
    ///
    /// ```no_run
    /// use traced_redis::{Outcome, TracedEntry};
    ///
    /// # fn example(entry: TracedEntry) {
    /// let entry = entry.start().finish(Outcome::error("later", "the warehouse is closed"));
    /// assert_eq!(entry.stream(), b"orders");
    /// # }
    /// ```
    pub fn finish(self, outcome: Outcome) -> Entry {
        self.span.end(outcome);
        self.entry
    }
}

impl fmt::Debug for OpenEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenEntry").field("entry", &self.entry).field("span", &self.span).finish()
    }
}
