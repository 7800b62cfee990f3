//! Consuming with a span for each message.

use crate::TracedMessage;
use crate::source::Source;
use redis::{Msg, PushInfo, RedisResult};
use std::fmt;
use std::sync::Arc;
use traced_envelope::{Settings, Status};

/// One of redis' subscriptions, whose messages are processed inside spans.
///
/// Asynchronous ones are [`Subscription`](crate::Subscription)s, from which [`next`](Self::next) takes messages: a
/// [`PubSub`](redis::aio::PubSub), or the channel to which a RESP3 connection sends what it is pushed. A synchronous
/// [`PubSub`](redis::PubSub) has [`get_message`](Self::get_message). What comes another way, as to a callback, is
/// [wrapped](Self::wrap_push).
///
/// A connection that is subscribed to a channel both by its name and by a pattern that fits gets each message twice: two deliveries,
/// each with a process span, and [`TracedProducer::publish`](crate::TracedProducer::publish) has counted two receivers.
///
/// ```no_run
/// use redis::aio::PubSub;
/// use traced_redis::TracedConsumer;
///
/// # async fn reserve(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
/// # async fn example(mut subscription: PubSub) -> redis::RedisResult<()> {
/// subscription.subscribe("orders").await?;
/// let mut consumer = TracedConsumer::new(subscription); // was: let mut messages = subscription.into_on_message();
/// while let Some(message) = consumer.next().await {
///     message?.process(async |message| reserve(message.payload()).await).await?; // spans made there are children
/// }
/// # Ok(()) }
/// ```
pub struct TracedConsumer<S> {
    pub(crate) subscription: S,
    pub(crate) source: Arc<Source>,
    /// What an asynchronous subscription was last seen to be.
    #[cfg(feature = "tokio")]
    pub(crate) state: crate::message_stream::State,
    #[cfg(feature = "tokio")]
    pub(crate) error_on_disconnect: bool,
}

impl<S> TracedConsumer<S> {
    /// Wraps a subscription, with the process-wide providers and propagator.
    ///
    /// ```
    /// use traced_redis::TracedConsumer;
    ///
    /// let wrapping = TracedConsumer::new(()); // no subscription: for messages that come another way
    /// assert_eq!(wrapping.into_inner(), ());
    /// ```
    #[must_use]
    pub fn new(subscription: S) -> Self {
        Self::with_settings(subscription, &Settings::default())
    }

    /// Wraps a subscription, with settings of its own.
    ///
    /// ```no_run
    /// use redis::aio::PubSub;
    /// use traced_redis::{AcceptedForms, Settings, TracedConsumer};
    ///
    /// # fn example(subscription: PubSub) {
    /// let settings = Settings::default().accept_forms(AcceptedForms::all()); // CloudEvents too
    /// let consumer = TracedConsumer::with_settings(subscription, &settings);
    /// # }
    /// ```
    #[must_use]
    pub fn with_settings(subscription: S, settings: &Settings) -> Self {
        Self {
            subscription,
            source: Arc::new(Source::new(settings)),
            #[cfg(feature = "tokio")]
            state: crate::message_stream::State::Connected,
            #[cfg(feature = "tokio")]
            error_on_disconnect: false,
        }
    }

    /// redis' subscription.
    ///
    /// ```no_run
    /// use redis::aio::PubSub;
    /// use traced_redis::TracedConsumer;
    ///
    /// # fn example(consumer: &TracedConsumer<PubSub>) {
    /// let subscription: &PubSub = consumer.get_ref();
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.subscription
    }

    /// redis' subscription, to subscribe to more.
    ///
    /// ```no_run
    /// use redis::aio::PubSub;
    /// use traced_redis::TracedConsumer;
    ///
    /// # async fn example(mut consumer: TracedConsumer<PubSub>) -> redis::RedisResult<()> {
    /// consumer.get_mut().psubscribe("orders.*").await
    /// # }
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.subscription
    }

    /// Gives redis' subscription back.
    ///
    /// ```no_run
    /// use redis::aio::PubSub;
    /// use traced_redis::TracedConsumer;
    ///
    /// # async fn example(consumer: TracedConsumer<PubSub>) -> redis::RedisResult<()> {
    /// consumer.into_inner().unsubscribe("orders").await
    /// # }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> S {
        self.subscription
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_redis::envelope::Status;
    /// use traced_redis::TracedConsumer;
    ///
    /// assert_eq!(TracedConsumer::new(()).status(), Status::NoMessageYet);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.source.telemetry.status()
    }

    /// Wraps a message that came another way than through this.
    ///
    /// ```no_run
    /// use traced_redis::TracedConsumer;
    ///
    /// # fn example(consumer: TracedConsumer<()>, message: redis::Msg) -> Result<(), std::io::Error> {
    /// consumer.wrap(message).process_blocking(|message| Ok(assert_eq!(message.payload(), b"{}")))
    /// # }
    /// ```
    #[must_use]
    pub fn wrap(&self, message: Msg) -> TracedMessage {
        TracedMessage::new(message, Arc::clone(&self.source))
    }

    /// Wraps what a RESP3 connection was pushed, if it is a message: for push senders that are no tokio channel, such as those of
    /// synchronous connections. `None` for everything else, confirmations and disconnections among it.
    ///
    /// ```no_run
    /// use traced_redis::TracedConsumer;
    ///
    /// # fn handle(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(mut connection: redis::Connection) -> redis::RedisResult<()> {
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// connection.set_push_sender(sender);
    /// connection.subscribe_resp3("orders")?;
    /// let consumer = TracedConsumer::new(());
    /// loop {
    ///     connection.recv_response()?; // one message or confirmation; an error when the connection is lost
    ///     for message in receiver.try_iter().filter_map(|push| consumer.wrap_push(push)) {
    ///         message.process_blocking(|message| handle(message.payload()))?;
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn wrap_push(&self, push: PushInfo) -> Option<TracedMessage> {
        Msg::from_push_info(push).map(|message| self.wrap(message))
    }
}

impl TracedConsumer<redis::PubSub<'_>> {
    /// [`PubSub::get_message`](redis::PubSub::get_message): waits for the next message.
    ///
    /// ```no_run
    /// use traced_redis::TracedConsumer;
    ///
    /// # fn handle(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(mut connection: redis::Connection) -> redis::RedisResult<()> {
    /// let mut consumer = TracedConsumer::new(connection.as_pubsub());
    /// consumer.get_mut().subscribe("orders")?;
    /// loop {
    ///     consumer.get_message()?.process_blocking(|message| handle(message.payload()))?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// redis' own, unchanged.
    pub fn get_message(&mut self) -> RedisResult<TracedMessage> {
        let message = self.subscription.get_message()?;
        Ok(self.wrap(message))
    }
}

impl<S> fmt::Debug for TracedConsumer<S> {
    /// redis' subscriptions have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedConsumer").field("source", &self.source).finish_non_exhaustive()
    }
}
