//! Adding to streams within pipelines and transactions.

use crate::TracedPipeline;
use crate::addition::Addition;
use crate::pipeline::{Message, Waiting};
use redis::streams::{StreamAddOptions, StreamMaxlen};
use redis::{ToRedisArgs, ToSingleRedisArg};
use traced_envelope::{MessageSpan, Outcome};

impl TracedPipeline<'_> {
    /// Adds an `XADD`, as [`TracedProducer::xadd`](crate::TracedProducer::xadd).
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let (receivers, id): (usize, String) = producer
    ///     .pipeline(|pipeline| {
    ///         pipeline.atomic().publish("orders", b"42").xadd("orders.log", "*", &[("id", "42")]);
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn xadd<K, I, F, V>(&mut self, key: K, id: I, items: &[(F, V)]) -> &mut Self
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        F: ToRedisArgs,
        V: ToRedisArgs,
    {
        self.add_entry(Addition::new(key, id, items))
    }

    /// Adds an `XADD` of the fields in a map.
    ///
    /// ```no_run
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let fields = BTreeMap::from([("id", "42"), ("item", "coffee")]);
    /// let (id,): (String,) = producer.pipeline_blocking(|pipeline| _ = pipeline.xadd_map("orders", "*", fields))?;
    /// # Ok(()) }
    /// ```
    pub fn xadd_map<K, I, M>(&mut self, key: K, id: I, map: M) -> &mut Self
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add_entry(Addition::new(key, id, map))
    }

    /// Adds an `XADD` with redis' options, as [`TracedProducer::xadd_options`](crate::TracedProducer::xadd_options).
    ///
    /// ```no_run
    /// use redis::streams::StreamAddOptions;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let existing = StreamAddOptions::default().nomkstream();
    /// let (id,): (Option<String>,) = producer
    ///     .pipeline_blocking(|pipeline| _ = pipeline.xadd_options("orders", "*", &[("id", "42")], &existing))?;
    /// # Ok(()) }
    /// ```
    pub fn xadd_options<K, I, M>(&mut self, key: K, id: I, items: M, options: &StreamAddOptions) -> &mut Self
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add_entry(Addition::with_options(key, options, id, items))
    }

    /// Adds an `XADD`, after which the stream is trimmed.
    ///
    /// ```no_run
    /// use redis::streams::StreamMaxlen;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// producer.pipeline_blocking::<()>(|pipeline| {
    ///     pipeline.xadd_maxlen("orders", StreamMaxlen::Approx(1000), "*", &[("id", "42")]);
    /// })
    /// # }
    /// ```
    pub fn xadd_maxlen<K, I, F, V>(&mut self, key: K, maxlen: StreamMaxlen, id: I, items: &[(F, V)]) -> &mut Self
    where
        K: ToSingleRedisArg,
        I: ToRedisArgs,
        F: ToRedisArgs,
        V: ToRedisArgs,
    {
        self.add_entry(Addition::with_options(key, maxlen, id, items))
    }

    /// Adds an `XADD` of the fields in a map, after which the stream is trimmed.
    ///
    /// ```no_run
    /// use redis::streams::StreamMaxlen;
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let fields = BTreeMap::from([("id", "42")]);
    /// producer.pipeline_blocking::<()>(|pipeline| {
    ///     pipeline.xadd_maxlen_map("orders", StreamMaxlen::Equals(1000), "*", fields);
    /// })
    /// # }
    /// ```
    pub fn xadd_maxlen_map<K, I, M>(&mut self, key: K, maxlen: StreamMaxlen, id: I, map: M) -> &mut Self
    where
        K: ToSingleRedisArg,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add_entry(Addition::with_options(key, maxlen, id, map))
    }

    fn add_entry(&mut self, mut addition: Addition) -> &mut Self {
        let telemetry = &self.publisher.telemetry;
        let existing = addition.existing(self.publisher);
        let kept = telemetry.kept(&existing);
        let (mut span, mut waiting) = (MessageSpan::off(), None);
        let mut created = existing.span_context().cloned();
        if kept.is_none() && telemetry.makes_create_spans() {
            let destination = self.publisher.prepared("create", &String::from_utf8_lossy(addition.stream()));
            let operation = addition.operation("create", &destination, telemetry).existing(existing);
            span = addition.start(operation, |operation, fields| telemetry.create(operation, fields));
            created = span.span_context();
        } else if kept.is_none() && addition.takes_context() {
            waiting = Some(Waiting::Fields(addition.first_field()));
        }
        let (index, channel) = (self.pipeline.len(), addition.stream().into());
        self.note(Message { index, operation: "xadd", channel, created, waiting });
        span.end(Outcome::Ok);
        self.pipeline.add_command(addition.command());
        self
    }
}
