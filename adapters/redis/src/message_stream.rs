//! The messages of an asynchronous subscription.

use crate::consumer::State;
use crate::subscription::Event;
use crate::{Subscription, TracedConsumer, TracedMessage};
use futures_core::Stream;
use redis::{RedisError, RedisResult};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<S: Subscription + Unpin> TracedConsumer<S> {
    /// The next message, or `None` when no more will come: the stream's `next`, without a trait to import.
    ///
    /// # Errors
    ///
    /// When the connection is lost for good, an I/O error ([`BrokenPipe`](std::io::ErrorKind::BrokenPipe)), after which comes `None`.
    /// redis' own RESP2 streams end without a word then, and a loop over them with them. A connection that comes again, as that of a
    /// connection manager which subscribes again, is no error: messages go on, but those that were published meanwhile are lost.
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
