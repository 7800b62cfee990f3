//! Adding to streams over synchronous connections.

use crate::TracedProducer;
use crate::addition::{Addition, added};
use redis::streams::{StreamAddOptions, StreamMaxlen};
use redis::{ConnectionLike, RedisResult, ToRedisArgs, ToSingleRedisArg};

impl<C: ConnectionLike> TracedProducer<C> {
    /// `XADD` over a synchronous connection, inside a span `xadd {stream}`: the entry's id. Its context travels in fields of the entry,
    /// `traceparent`, `tracestate` and `baggage`, after those that are given; the producer's [`Form`](crate::Form) is for channels only.
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(client.get_connection()?, Form::Binary);
    /// let id = producer.xadd_blocking("orders", "*", &[("id", "42")])?;
    /// assert!(id.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it as status and `error.type`.
    pub fn xadd_blocking<K, I, F, V>(&mut self, key: K, id: I, items: &[(F, V)]) -> RedisResult<Option<String>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        F: ToRedisArgs,
        V: ToRedisArgs,
    {
        self.add_blocking(Addition::new(key, id, items))
    }

    /// [`xadd_blocking`](Self::xadd_blocking) of the fields in a map, or in whatever redis takes for one.
    ///
    /// ```no_run
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// producer.xadd_map_blocking("orders", "*", BTreeMap::from([("id", "42"), ("article", "book")]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xadd_map_blocking<K, I, M>(&mut self, key: K, id: I, map: M) -> RedisResult<Option<String>>
    where
        K: ToRedisArgs,
        I: ToRedisArgs,
        M: ToRedisArgs,
    {
        self.add_blocking(Addition::new(key, id, map))
    }

    /// [`xadd_blocking`](Self::xadd_blocking) with redis' options: see [`xadd_options`](Self::xadd_options) for those that matter here.
    ///
    /// ```no_run
    /// use redis::streams::StreamAddOptions;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let options = StreamAddOptions::default().nomkstream();
    /// let id = producer.xadd_options_blocking("nobody-reads-it", "*", &[("id", "42")], &options)?;
    /// assert_eq!(id, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xadd_options_blocking<K, I, M>(
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
        self.add_blocking(Addition::with_options(key, options, id, items))
    }

    /// [`xadd_blocking`](Self::xadd_blocking), after which the stream is trimmed.
    ///
    /// ```no_run
    /// use redis::streams::StreamMaxlen;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// producer.xadd_maxlen_blocking("orders", StreamMaxlen::Approx(10_000), "*", &[("id", "42")])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xadd_maxlen_blocking<K, I, F, V>(
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
        self.add_blocking(Addition::with_options(key, maxlen, id, items))
    }

    /// [`xadd_maxlen_blocking`](Self::xadd_maxlen_blocking) of the fields in a map.
    ///
    /// ```no_run
    /// use redis::streams::StreamMaxlen;
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// producer.xadd_maxlen_map_blocking("orders", StreamMaxlen::Approx(10_000), "*", BTreeMap::from([("id", "42")]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn xadd_maxlen_map_blocking<K, I, M>(
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
        self.add_blocking(Addition::with_options(key, maxlen, id, map))
    }

    fn add_blocking(&mut self, addition: Addition) -> RedisResult<Option<String>> {
        let (span, command) = self.publisher.add(addition);
        span.in_scope_noting(|| command.query(&mut self.connection), added)
    }
}
