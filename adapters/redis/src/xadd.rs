//! Adding to streams over asynchronous connections.

use crate::TracedProducer;
use crate::addition::{Addition, added};
use redis::aio::ConnectionLike;
use redis::streams::{StreamAddOptions, StreamMaxlen};
use redis::{RedisResult, ToRedisArgs, ToSingleRedisArg};

impl<C: ConnectionLike> TracedProducer<C> {
    /// `XADD`, inside a span `xadd {stream}`: the entry's id. Its context travels in fields of the entry, `traceparent`, `tracestate` and
    /// `baggage`, after those that are given; the producer's [`Form`](crate::Form) is for channels only. Fields that have such a name already are
    /// dealt with as [`Settings::existing_context`](traced_envelope::Settings::existing_context) says.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(connection, Form::Binary);
    /// let id = producer.xadd("orders", "*", &[("id", "42")]).await?; // was: connection.xadd("orders", ..)
    /// assert!(id.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it as status and `error.type`.
    ///
    /// # Cancel safety
    ///
    /// As redis': dropped before it has returned, the entry may or may not be on its way. The span ends as `cancelled`.
    pub async fn xadd<K, I, F, V>(&mut self, key: K, id: I, items: &[(F, V)]) -> RedisResult<Option<String>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        F: ToRedisArgs,
        V: ToRedisArgs,
    {
        self.add(Addition::new(key, id, items)).await
    }

    /// [`xadd`](Self::xadd) of the fields in a map, or in whatever redis takes for one.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// producer.xadd_map("orders", "*", BTreeMap::from([("id", "42"), ("article", "book")])).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`xadd`](Self::xadd).
    pub async fn xadd_map<K, I, M>(&mut self, key: K, id: I, map: M) -> RedisResult<Option<String>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add(Addition::new(key, id, map)).await
    }

    /// [`xadd`](Self::xadd) with redis' options. With [`nomkstream`](StreamAddOptions::nomkstream) nothing is added to a stream that is not
    /// there: `None`, and no error. With [`idmpauto`](StreamAddOptions::idmpauto) no context is written: Redis recognises by an entry's content
    /// that it has been added before, and each context is another one. Use [`idmp`](StreamAddOptions::idmp) for such entries.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::{StreamAddOptions, StreamTrimStrategy, StreamTrimmingMode};
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let trim = StreamTrimStrategy::maxlen(StreamTrimmingMode::Approx, 10_000);
    /// let options = StreamAddOptions::default().nomkstream().trim(trim);
    /// producer.xadd_options("orders", "*", &[("id", "42")], &options).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`xadd`](Self::xadd).
    pub async fn xadd_options<K, I, M>(
        &mut self,
        key: K,
        id: I,
        items: M,
        options: &StreamAddOptions,
    ) -> RedisResult<Option<String>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add(Addition::with_options(key, options, id, items)).await
    }

    /// [`xadd`](Self::xadd), after which the stream is trimmed.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamMaxlen;
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// producer.xadd_maxlen("orders", StreamMaxlen::Approx(10_000), "*", &[("id", "42")]).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`xadd`](Self::xadd).
    pub async fn xadd_maxlen<K, I, F, V>(
        &mut self,
        key: K,
        maxlen: StreamMaxlen,
        id: I,
        items: &[(F, V)],
    ) -> RedisResult<Option<String>>
    where
        K: ToSingleRedisArg,
        I: ToRedisArgs,
        F: ToRedisArgs,
        V: ToRedisArgs,
    {
        self.add(Addition::with_options(key, maxlen, id, items)).await
    }

    /// [`xadd_maxlen`](Self::xadd_maxlen) of the fields in a map.
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use redis::streams::StreamMaxlen;
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// producer.xadd_maxlen_map("orders", StreamMaxlen::Approx(10_000), "*", BTreeMap::from([("id", "42")])).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`xadd`](Self::xadd).
    pub async fn xadd_maxlen_map<K, I, M>(
        &mut self,
        key: K,
        maxlen: StreamMaxlen,
        id: I,
        map: M,
    ) -> RedisResult<Option<String>>
    where
        K: ToSingleRedisArg,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add(Addition::with_options(key, maxlen, id, map)).await
    }

    async fn add(&mut self, addition: Addition) -> RedisResult<Option<String>> {
        let (span, command) = self.publisher.add(addition);
        span.run_noting(command.query_async(&mut self.connection), added).await
    }
}
