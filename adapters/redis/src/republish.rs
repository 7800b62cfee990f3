//! Sending a consumed entry on: to a stream of dead letters, to another stream, or back for another attempt.

use crate::addition::{Addition, added};
use crate::attempt::ATTEMPT_FIELD;
use crate::headers::bytes;
use crate::{Entry, HeaderInjector, TracedProducer};
use opentelemetry::propagation::Injector;
use redis::{Cmd, ErrorKind, RedisError, RedisResult};
use traced_envelope::MessageSpan;

impl<C> TracedProducer<C> {
    /// Adds a consumed entry to another stream, with all its fields as they are, and acknowledges the original once the copy is there:
    /// the copy's id.
    ///
    /// The entry keeps its creation context, so that every attempt at it stays linked to its first producer, and fields never pile up. The
    /// span is of kind CLIENT, below the current one (inside a handler: its process span), and links the creation context. Where the
    /// entry carries no usable context, it gets the span's.
    ///
    /// The copy has an id of its own, from which the time that it waits is counted. The field `x-attempt` of [`retry`](Self::retry) stays
    /// behind: the next stream counts its own attempts. An original that was read without a group is not acknowledged.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Entry, TracedEntry, TracedProducer};
    ///
    /// # async fn reserve(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
    /// # async fn example(entry: TracedEntry, mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// entry
    ///     .process(async |entry| {
    ///         if reserve(&entry).await.is_err() {
    ///             producer.republish(&entry, "orders.dead").await?;
    ///         }
    ///         redis::RedisResult::Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, of adding or of acknowledging. If the copy could not be added, the original stays pending; so does an entry that has
    /// no fields (claimed with `JUSTID`, or deleted while it was pending), of which Redis takes no copy.
    ///
    /// # Cancel safety
    ///
    /// Dropped in the middle, the copy may have been added while the original is still pending: the entry is then there twice, never lost.
    #[cfg(feature = "tokio")]
    pub async fn republish(&mut self, entry: &Entry, stream: impl AsRef<[u8]>) -> RedisResult<String>
    where
        C: redis::aio::ConnectionLike,
    {
        self.send_on(entry, stream.as_ref(), String::new()).await
    }

    /// The same, for another attempt: counts in the field `x-attempt`, which [`TracedEntry::attempt`](crate::TracedEntry::attempt) and the
    /// span attribute `traced.message.attempt` show. `attempt` is the number of the one that failed.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Entry, TracedEntry, TracedProducer};
    ///
    /// # async fn reserve(_: &Entry) -> anyhow::Result<()> { Ok(()) }
    /// # async fn example(entry: TracedEntry, mut producer: TracedProducer<MultiplexedConnection>) -> anyhow::Result<()> {
    /// let attempt = entry.attempt();
    /// entry
    ///     .process(async |entry| {
    ///         let Err(error) = reserve(&entry).await else { return Ok(()) };
    ///         if attempt < 3 {
    ///             producer.retry(&entry, attempt, "orders").await?;
    ///         } else {
    ///             producer.republish(&entry, "orders.dead").await?;
    ///         }
    ///         Err(error) // the span is an error, the entry is not lost
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`republish`](Self::republish).
    ///
    /// # Cancel safety
    ///
    /// As [`republish`](Self::republish).
    #[cfg(feature = "tokio")]
    pub async fn retry(&mut self, entry: &Entry, attempt: u32, stream: impl AsRef<[u8]>) -> RedisResult<String>
    where
        C: redis::aio::ConnectionLike,
    {
        self.send_on(entry, stream.as_ref(), attempt.saturating_add(1).to_string()).await
    }

    /// [`republish`](Self::republish) over a synchronous connection.
    ///
    /// ```no_run
    /// use traced_redis::{TracedEntry, TracedProducer};
    ///
    /// # fn example(entry: TracedEntry, mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<String> {
    /// entry.process_blocking(|entry| producer.republish_blocking(&entry, "orders.dead"))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`republish`](Self::republish).
    pub fn republish_blocking(&mut self, entry: &Entry, stream: impl AsRef<[u8]>) -> RedisResult<String>
    where
        C: redis::ConnectionLike,
    {
        self.send_on_blocking(entry, stream.as_ref(), String::new())
    }

    /// [`retry`](Self::retry) over a synchronous connection.
    ///
    /// ```no_run
    /// use traced_redis::{TracedEntry, TracedProducer};
    ///
    /// # fn example(entry: TracedEntry, mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<String> {
    /// let attempt = entry.attempt();
    /// entry.process_blocking(|entry| producer.retry_blocking(&entry, attempt, "orders"))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`republish`](Self::republish).
    pub fn retry_blocking(&mut self, entry: &Entry, attempt: u32, stream: impl AsRef<[u8]>) -> RedisResult<String>
    where
        C: redis::ConnectionLike,
    {
        self.send_on_blocking(entry, stream.as_ref(), attempt.saturating_add(1).to_string())
    }

    #[cfg(feature = "tokio")]
    async fn send_on(&mut self, entry: &Entry, stream: &[u8], attempt: String) -> RedisResult<String>
    where
        C: redis::aio::ConnectionLike,
    {
        let (span, command) = self.copied(entry, stream, attempt)?;
        let id = span.run_noting(command.query_async(&mut self.connection), added).await?;
        if let Some(command) = acknowledgement(entry) {
            let _pending: usize = command.query_async(&mut self.connection).await?;
        }
        Ok(id.unwrap_or_default())
    }

    fn send_on_blocking(&mut self, entry: &Entry, stream: &[u8], attempt: String) -> RedisResult<String>
    where
        C: redis::ConnectionLike,
    {
        let (span, command) = self.copied(entry, stream, attempt)?;
        let id = span.in_scope_noting(|| command.query(&mut self.connection), added)?;
        if let Some(command) = acknowledgement(entry) {
            let _pending: usize = command.query(&mut self.connection)?;
        }
        Ok(id.unwrap_or_default())
    }

    /// `attempt` is the field's text; empty, there is none.
    fn copied(&self, entry: &Entry, stream: &[u8], attempt: String) -> RedisResult<(MessageSpan, Cmd)> {
        let mut fields = Vec::with_capacity(entry.fields().len() + 3);
        for (name, value) in entry.fields() {
            // No server has others; rather none than a copy that is another one.
            let (Some(name), Some(value)) = (bytes(name), bytes(value)) else {
                return Err(RedisError::from((ErrorKind::Client, "a field of the entry is no string")));
            };
            fields.push((name.to_vec(), value.to_vec()));
        }
        // Redis refuses an entry without fields: with a count it would take an empty one, for which the original would be given up.
        if !fields.is_empty() {
            HeaderInjector(&mut fields).set(ATTEMPT_FIELD, attempt);
        }
        let mut addition = Addition::new(stream, "*", &fields);
        let destination = self.publisher.prepared("xadd", &String::from_utf8_lossy(stream));
        let telemetry = &self.publisher.telemetry;
        let operation = addition.operation("xadd", &destination, telemetry);
        let operation = operation.existing(addition.existing(&self.publisher));
        let span = addition.start(operation.keep_existing(), |operation, fields| telemetry.send(operation, fields));
        Ok((span, addition.command()))
    }
}

/// `None` for an entry that is not pending.
fn acknowledgement(entry: &Entry) -> Option<Cmd> {
    let group = entry.group().filter(|_| entry.delivery.is_pending)?;
    Some(Cmd::xack(entry.stream(), group, &[entry.id()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::streams::StreamId;
    use redis::{RedisResult, Value};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use traced_envelope::Form;
    use traced_envelope::testing::Capture;

    fn entry() -> Entry {
        Entry::new("orders", StreamId { id: "1-0".to_owned(), ..StreamId::default() })
    }

    /// Bug that this prevents: `x-attempt` alone made an entry of it, which Redis took, and the original was acknowledged.
    #[test]
    fn a_copy_of_an_entry_without_fields_is_left_without() {
        let capture = Capture::new();
        let producer = TracedProducer::with_settings((), Form::Bare, &capture.settings("shop"));
        let none: [(&str, &str); 0] = [];
        for attempt in ["", "2"] {
            let (_span, command) = producer.copied(&entry(), b"orders", attempt.to_owned()).unwrap();
            assert_eq!(command.get_packed_command(), Cmd::xadd("orders", "*", &none).get_packed_command());
        }
    }

    /// No server makes a client panic on demand.
    struct Panicking;

    impl redis::ConnectionLike for Panicking {
        fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
            panic!("on purpose")
        }

        fn req_packed_commands(&mut self, _: &[u8], _: usize, _: usize) -> RedisResult<Vec<Value>> {
            panic!("on purpose")
        }

        fn get_db(&self) -> i64 {
            0
        }

        fn check_connection(&mut self) -> bool {
            true
        }

        fn is_open(&self) -> bool {
            true
        }
    }

    #[cfg(feature = "tokio")]
    impl redis::aio::ConnectionLike for Panicking {
        fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> redis::RedisFuture<'a, Value> {
            Box::pin(async { panic!("on purpose") })
        }

        fn req_packed_commands<'a>(
            &'a mut self,
            _: &'a redis::Pipeline,
            _: usize,
            _: usize,
        ) -> redis::RedisFuture<'a, Vec<Value>> {
            Box::pin(async { panic!("on purpose") })
        }

        fn get_db(&self) -> i64 {
            0
        }
    }

    /// As those of `PUBLISH` do: they were told apart from tasks that nobody waited for.
    fn assert_panicked(capture: &Capture) {
        let kinds: Vec<_> = capture.spans().iter().map(|span| span.attribute("error.type").cloned()).collect();
        assert_eq!(kinds, [Some("panic".into()), Some("panic".into())]);
    }

    #[test]
    fn a_panic_in_the_connection_ends_the_span_as_one() {
        let capture = Capture::new();
        let mut producer = TracedProducer::with_settings(Panicking, Form::Bare, &capture.settings("shop"));
        let added = catch_unwind(AssertUnwindSafe(|| producer.xadd_blocking("orders", "*", &[("id", "42")])));
        let republished = catch_unwind(AssertUnwindSafe(|| producer.republish_blocking(&entry(), "orders.dead")));
        assert!(added.is_err() && republished.is_err());
        assert_panicked(&capture);
    }

    #[cfg(feature = "tokio")]
    #[tokio::test]
    async fn a_panic_in_an_asynchronous_connection_ends_the_span_as_one() {
        let capture = Capture::new();
        let producer = || TracedProducer::with_settings(Panicking, Form::Bare, &capture.settings("shop"));
        let mut adding = producer();
        let added = tokio::spawn(async move { adding.xadd("orders", "*", &[("id", "42")]).await }).await;
        let mut republishing = producer();
        let republished = tokio::spawn(async move { republishing.republish(&entry(), "orders.dead").await }).await;
        assert!(added.is_err() && republished.is_err());
        assert_panicked(&capture);
    }
}
