//! Publishing with a span for each message.

use crate::publisher::Publisher;
use std::fmt;
use traced_envelope::{Form, Pattern, Settings, Status};

/// A connection that publishes with a span for each message, whose context travels in an envelope around the payload.
///
/// The connection is any of redis': asynchronous ones ([multiplexed](redis::aio::MultiplexedConnection), the connection manager, those
/// of a cluster) have the methods with the commands' names, synchronous ones those that end in `_blocking`.
///
/// The form of byte payloads is said here and never guessed: subscribers that cannot read it would be handed envelopes. Upgrade them
/// first; until then their channels take [`Form::Bare`], see [`form_for`](Self::form_for).
///
/// ```no_run
/// use redis::aio::MultiplexedConnection;
/// use traced_redis::{Form, TracedProducer};
///
/// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
/// let mut producer = TracedProducer::new(connection, Form::Binary);
/// let receivers = producer.publish("orders", b"{}").await?; // was: connection.publish("orders", b"{}")
/// assert_eq!(receivers, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TracedProducer<C> {
    pub(crate) connection: C,
    pub(crate) publisher: Publisher,
}

impl<C> TracedProducer<C> {
    /// Publishes over this connection, byte payloads in this form, with the process-wide providers and propagator.
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # async fn example(client: redis::Client) -> redis::RedisResult<()> {
    /// let connection = client.get_multiplexed_async_connection().await?;
    /// let producer = TracedProducer::new(connection, Form::Binary);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(connection: C, form: Form) -> Self {
        Self::with_settings(connection, form, &Settings::default())
    }

    /// Publishes over this connection, byte payloads in this form, with settings of its own. redis hides the server's address:
    /// [`Settings::server`] adds it to the spans.
    ///
    /// ```no_run
    /// use traced_redis::{Form, Settings, TracedProducer};
    ///
    /// # fn example(client: redis::Client) {
    /// let settings = Settings::default().server("redis.internal", 6379);
    /// let producer = TracedProducer::with_settings(client, Form::Binary, &settings);
    /// # }
    /// ```
    #[must_use]
    pub fn with_settings(connection: C, form: Form, settings: &Settings) -> Self {
        Self { connection, publisher: Publisher::new(form, crate::telemetry(settings)) }
    }

    /// Channels with a form of their own, by name or pattern: `*` stands for any run of characters. Of several that fit the first one
    /// counts; a channel that none fits has the producer's form.
    ///
    /// ```no_run
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn example(connection: redis::Connection) -> redis::RedisResult<()> {
    /// let mut producer = TracedProducer::new(connection, Form::Binary).form_for("legacy.*", Form::Bare);
    /// producer.publish_blocking("legacy.orders", b"as it is")?; // a span, but no envelope
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn form_for(mut self, channel: impl Into<String>, form: Form) -> Self {
        self.publisher.form_for(Pattern::new(channel), form);
        self
    }

    /// The connection.
    ///
    /// ```
    /// use traced_redis::redis::{Client, IntoConnectionInfo};
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// # fn main() -> redis::RedisResult<()> {
    /// let client = Client::open("redis://127.0.0.1/7")?;
    /// let producer = TracedProducer::new(client, Form::Binary);
    /// assert_eq!(producer.get_ref().get_connection_info().redis_settings().db(), 7);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &C {
        &self.connection
    }

    /// The connection, for all other commands: they make no spans.
    ///
    /// ```no_run
    /// use redis::{AsyncCommands, aio::MultiplexedConnection};
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<MultiplexedConnection>) -> redis::RedisResult<()> {
    /// let left: usize = producer.get_mut().decr("stock", 1).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Gives the connection back.
    ///
    /// ```
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// let producer = TracedProducer::new("any connection", Form::Binary);
    /// assert_eq!(producer.into_inner(), "any connection");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> C {
        self.connection
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_redis::envelope::Status;
    /// use traced_redis::{Form, TracedProducer};
    ///
    /// assert_eq!(TracedProducer::new((), Form::Binary).status(), Status::NoMessageYet);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.publisher.telemetry.status()
    }
}

impl<C> fmt::Debug for TracedProducer<C> {
    /// Most of redis' connections have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedProducer").field("publisher", &self.publisher).finish_non_exhaustive()
    }
}
