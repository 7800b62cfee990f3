//! What messages come out of.

use futures_core::Stream as _;
use redis::aio::{PubSub, PubSubStream};
use redis::{Msg, PushInfo, PushKind};
use std::pin::pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::UnboundedReceiver;

/// What asynchronous messages come out of; it cannot be implemented elsewhere.
///
/// | type | protocol | when the connection is lost |
/// |---|---|---|
/// | [`PubSub`] | RESP2 | an error, then the end |
/// | [`PubSubStream`], the half of a [split](PubSub::split) one | RESP2 | an error, then the end |
/// | [`UnboundedReceiver`] of [`PushInfo`], whose sender was given to a connection as `push_sender` | RESP3 | the connection manager subscribes again, as long as it tries: see below; with any other connection an error, then the end, if nobody else has the sender: see [`error_on_disconnect`](crate::TracedConsumer::error_on_disconnect) |
///
/// A connection manager tries to connect again six times, for about ten seconds in all, and then no more until somebody sends a
/// command over it: no message comes any more, and no error either. A subscriber has it try on:
///
/// ```no_run
/// use redis::aio::ConnectionManagerConfig;
/// use std::time::Duration;
/// use tokio::sync::mpsc::unbounded_channel;
/// use traced_redis::TracedConsumer;
///
/// # async fn reserve(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
/// # async fn example() -> redis::RedisResult<()> {
/// let (sender, pushes) = unbounded_channel();
/// let client = redis::Client::open("redis://127.0.0.1/?protocol=resp3")?;
/// let config = ConnectionManagerConfig::new()
///     .set_push_sender(sender)
///     .set_automatic_resubscription()
///     .set_number_of_retries(usize::MAX)
///     .set_max_delay(Duration::from_secs(5));
/// let mut manager = client.get_connection_manager_with_config(config).await?;
/// manager.subscribe("orders").await?;
/// let mut consumer = TracedConsumer::new(pushes); // as long as `manager` is there
/// while let Some(message) = consumer.next().await {
///     message?.process(async |message| reserve(message.payload()).await).await?;
/// }
/// # Ok(()) }
/// ```
///
/// Any other connection:
///
/// ```no_run
/// use redis::AsyncConnectionConfig;
/// use tokio::sync::mpsc::unbounded_channel;
/// use traced_redis::TracedConsumer;
///
/// # async fn reserve(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
/// # async fn example() -> redis::RedisResult<()> {
/// let (sender, pushes) = unbounded_channel();
/// let client = redis::Client::open("redis://127.0.0.1/?protocol=resp3")?;
/// let config = AsyncConnectionConfig::new().set_push_sender(sender);
/// let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
/// drop(config); // it has the sender, too
/// connection.subscribe("orders").await?;
/// let mut consumer = TracedConsumer::new(pushes);
/// while let Some(message) = consumer.next().await {
///     message?.process(async |message| reserve(message.payload()).await).await?;
/// }
/// # Ok(()) }
/// ```
pub trait Subscription: sealed::Sealed {}

impl Subscription for PubSub {}
impl Subscription for PubSubStream {}
impl Subscription for UnboundedReceiver<PushInfo> {}

/// What a subscription has brought.
#[derive(Debug)]
pub enum Event {
    /// A message.
    Message(Msg),
    /// The connection is lost, though it may come again.
    Lost,
    /// Something else, after which the connection is there.
    Other,
    /// Nothing will come any more.
    End,
}

pub(crate) mod sealed {
    use super::{Context, Event, Poll};

    pub trait Sealed {
        /// Whether [`Event::End`] can only mean that the connection was lost.
        const ENDS_WHEN_LOST: bool;

        fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Event>;
    }
}

impl sealed::Sealed for PubSub {
    const ENDS_WHEN_LOST: bool = true;

    fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Event> {
        pin!(self.on_message()).poll_next(task).map(of_message)
    }
}

impl sealed::Sealed for PubSubStream {
    const ENDS_WHEN_LOST: bool = true;

    fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Event> {
        pin!(self).poll_next(task).map(of_message)
    }
}

impl sealed::Sealed for UnboundedReceiver<PushInfo> {
    /// The connection's owner drops it, and the sender goes with it.
    const ENDS_WHEN_LOST: bool = false;

    fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Event> {
        self.poll_recv(task).map(|push| match push {
            Some(push) if push.kind == PushKind::Disconnection => Event::Lost,
            Some(push) => Msg::from_push_info(push).map_or(Event::Other, Event::Message),
            None => Event::End,
        })
    }
}

fn of_message(message: Option<Msg>) -> Event {
    message.map_or(Event::End, Event::Message)
}
