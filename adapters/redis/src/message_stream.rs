//! The messages of an asynchronous subscription.

use crate::subscription::Event;
use crate::{Subscription, TracedConsumer, TracedMessage};
use futures_core::Stream;
use redis::{RedisError, RedisResult};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What a subscription was last seen to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Connected,
    /// Its connection was lost, and may come again.
    Lost,
    /// Nothing will come any more, and the application knows.
    Ended,
}

impl<S: Subscription + Unpin> TracedConsumer<S> {
    /// Whether each lost connection of a push channel is an error, behind which messages may go on. Default: no, because a connection
    /// manager connects and subscribes again by itself. Say yes for a connection that does not, and whose push sender lives on, as in an
    /// [`AsyncConnectionConfig`](redis::AsyncConnectionConfig) that was kept: nothing would come any more, and nobody would be told.
    ///
    /// ```no_run
    /// use redis::PushInfo;
    /// use tokio::sync::mpsc::UnboundedReceiver;
    /// use traced_redis::TracedConsumer;
    ///
    /// # async fn example(pushes: UnboundedReceiver<PushInfo>) -> redis::RedisResult<()> {
    /// let mut consumer = TracedConsumer::new(pushes).error_on_disconnect(true);
    /// while let Some(message) = consumer.next().await {
    ///     message?.process(async |_| Ok::<_, redis::RedisError>(())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn error_on_disconnect(mut self, error: bool) -> Self {
        self.error_on_disconnect = error;
        self
    }

    /// The next message, or `None` when no more will come: the stream's `next`, without a trait to import.
    ///
    /// ```no_run
    /// use redis::aio::PubSub;
    /// use traced_redis::TracedConsumer;
    ///
    /// # async fn example(mut consumer: TracedConsumer<PubSub>) -> redis::RedisResult<()> {
    /// while let Some(message) = consumer.next().await {
    ///     assert_eq!(message?.channel(), "orders");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the connection is lost for good, an I/O error ([`BrokenPipe`](std::io::ErrorKind::BrokenPipe)), after which comes `None`.
    /// redis' own RESP2 streams end without a word then, and a loop over them with them. A connection that may come again, as that of a
    /// connection manager which subscribes again, is no error: messages go on when it does, without those that were published meanwhile. If
    /// the manager gives up, which it does after six attempts unless [told otherwise](Subscription), nothing comes any more, and no error.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has lost no message.
    pub async fn next(&mut self) -> Option<RedisResult<TracedMessage>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }
}

impl<S: Subscription + Unpin> Stream for TracedConsumer<S> {
    type Item = RedisResult<TracedMessage>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.state == State::Ended {
            return Poll::Ready(None);
        }
        loop {
            match ready!(this.subscription.poll_event(task)) {
                Event::Message(message) => {
                    this.state = State::Connected;
                    return Poll::Ready(Some(Ok(this.wrap(message))));
                }
                Event::Other => this.state = State::Connected,
                // Told once, it need not be told again at the end.
                Event::Lost if this.error_on_disconnect => return Poll::Ready(Some(Err(connection_lost()))),
                Event::Lost => this.state = State::Lost,
                Event::End => {
                    let lost = S::ENDS_WHEN_LOST || this.state == State::Lost;
                    this.state = State::Ended;
                    return Poll::Ready(lost.then(|| Err(connection_lost())));
                }
            }
        }
    }
}

/// As redis itself says it to those who wait for an answer.
fn connection_lost() -> RedisError {
    io::Error::new(io::ErrorKind::BrokenPipe, "the subscription's connection was lost").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, Result};
    use redis::{PushInfo, PushKind, Value};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    fn push(sender: &UnboundedSender<PushInfo>, kind: PushKind, texts: &[&str]) -> Result<()> {
        let data = texts.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect();
        Ok(sender.send(PushInfo { kind, data })?)
    }

    async fn payload(consumer: &mut TracedConsumer<tokio::sync::mpsc::UnboundedReceiver<PushInfo>>) -> Result<Vec<u8>> {
        Ok(consumer.next().await.context("a message")??.payload().into_owned())
    }

    #[tokio::test]
    async fn what_comes_after_a_lost_connection_goes_on_without_an_error() -> Result<()> {
        let (sender, receiver) = unbounded_channel();
        let mut consumer = TracedConsumer::new(receiver);
        push(&sender, PushKind::Subscribe, &["orders"])?;
        push(&sender, PushKind::Message, &["orders", "1"])?;
        push(&sender, PushKind::Disconnection, &[])?;
        push(&sender, PushKind::Subscribe, &["orders"])?;
        push(&sender, PushKind::PMessage, &["o*", "orders", "2"])?;
        push(&sender, PushKind::SMessage, &["orders", "3"])?;
        drop(sender);
        for expected in [b"1", b"2", b"3"] {
            assert_eq!(payload(&mut consumer).await?, expected);
        }
        assert!(consumer.next().await.is_none());
        Ok(())
    }

    #[tokio::test]
    async fn whoever_asks_for_it_is_told_of_each_lost_connection() -> Result<()> {
        let (sender, receiver) = unbounded_channel();
        let mut consumer = TracedConsumer::new(receiver).error_on_disconnect(true);
        push(&sender, PushKind::Disconnection, &[])?;
        push(&sender, PushKind::Message, &["orders", "1"])?;
        push(&sender, PushKind::Disconnection, &[])?;
        drop(sender);
        assert!(consumer.next().await.context("an error")?.is_err());
        assert_eq!(payload(&mut consumer).await?, b"1");
        assert!(consumer.next().await.context("an error")?.is_err());
        assert!(consumer.next().await.is_none());
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_that_does_not_come_again_is_an_error_and_then_the_end() -> Result<()> {
        let (sender, receiver) = unbounded_channel();
        let mut consumer = TracedConsumer::new(receiver);
        push(&sender, PushKind::Disconnection, &[])?;
        drop(sender);
        let error = consumer.next().await.context("an error")?.err().context("an error")?;
        assert!(error.is_connection_dropped() && error.is_unrecoverable_error(), "{error:?}");
        assert!(consumer.next().await.is_none());
        assert!(consumer.next().await.is_none());
        Ok(())
    }
}
