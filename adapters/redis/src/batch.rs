//! Sending many messages with one send span: a pipeline, or a transaction.

use crate::pipeline::Sending;
use crate::rewritten::Watched;
use crate::{TracedPipeline, TracedProducer, error};
use redis::{FromRedisValue, RedisResult};
use traced_envelope::Outcome;

impl<C> TracedProducer<C> {
    /// Runs a pipeline, or with [`atomic`](TracedPipeline::atomic) a transaction: a create span for each message, whose context it
    /// carries, and one send span that links them, and ends with the pipeline. The closure adds the commands. The results are those of
    /// [`Pipeline::query_async`](redis::Pipeline::query_async), in the commands' order, of a message the number of its receivers.
    /// [`Settings::create_spans`](traced_envelope::Settings::create_spans) switches the create spans off; the messages then carry
    /// the send span's context. A pipeline without messages makes no span.
    ///
    /// The send span has an error if the pipeline cannot be sent, if a message of it fails, or if `EXEC` is refused because a watched key has
    /// changed (`transaction_aborted`), which redis reports as [`Nil`](redis::Value::Nil).
    ///
    /// ```no_run
    /// use redis::aio::MultiplexedConnection;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(connection, Form::Binary);
    /// let receivers: Vec<usize> = producer
    ///     .pipeline(|pipeline| {
    ///         for order in [&b"1"[..], b"2"] {
    ///             pipeline.publish("orders", order);
    ///         }
    ///     })
    ///     .await?;
    /// assert_eq!(receivers, [1, 1]);
    ///
    /// let () = producer.pipeline(|pipeline| _ = pipeline.atomic().publish("orders", b"3")).await?; // `exec_async`
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; one of kind [`Client`](redis::ErrorKind::Client), before anything is sent, where a value had no JSON.
    ///
    /// # Cancel safety
    ///
    /// As redis': dropped before it has returned, the commands may or may not be on their way. The span ends as `cancelled`.
    #[cfg(feature = "tokio")]
    pub async fn pipeline<T>(&mut self, build: impl FnOnce(&mut TracedPipeline<'_>)) -> RedisResult<T>
    where
        C: redis::aio::ConnectionLike + Send,
        T: FromRedisValue,
    {
        let Sending { pipeline, rewritten, span } = self.built(build)?;
        let mut connection = Watched { connection: &mut self.connection, rewritten };
        let run = async {
            let result = pipeline.query_async(&mut connection).await;
            (result, connection.rewritten.outcome)
        };
        span.run_with(run, outcome).await.0
    }

    /// [`pipeline`](Self::pipeline) over a synchronous connection, as [`Pipeline::query`](redis::Pipeline::query).
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(client.get_connection()?, Form::Binary);
    /// let (receivers,): (usize,) = producer.pipeline_blocking(|pipeline| _ = pipeline.publish("orders", b"1"))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; one of kind [`Client`](redis::ErrorKind::Client), before anything is sent, where a value had no JSON, or
    /// the connection cannot run pipelines.
    pub fn pipeline_blocking<T>(&mut self, build: impl FnOnce(&mut TracedPipeline<'_>)) -> RedisResult<T>
    where
        C: redis::ConnectionLike,
        T: FromRedisValue,
    {
        let Sending { pipeline, rewritten, span } = self.built(build)?;
        let mut connection = Watched { connection: &mut self.connection, rewritten };
        let run = || {
            let result = pipeline.query(&mut connection);
            (result, connection.rewritten.outcome)
        };
        span.in_scope_with(run, outcome).0
    }

    fn built(&self, build: impl FnOnce(&mut TracedPipeline<'_>)) -> RedisResult<Sending> {
        let mut pipeline = TracedPipeline::new(&self.publisher);
        build(&mut pipeline);
        pipeline.start()
    }
}

/// What Redis said of the messages; where it was not asked, why not.
fn outcome<T>((result, of_messages): &(RedisResult<T>, Option<Outcome>)) -> Outcome {
    of_messages.clone().unwrap_or_else(|| error::of_result(result))
}
