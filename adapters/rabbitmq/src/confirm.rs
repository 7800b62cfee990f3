//! The broker's answer to a published message.

use crate::error;
use lapin::{Confirmation, PublisherConfirm};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use traced_envelope::MessageSpan;

/// The future of the broker's answer, as lapin's [`PublisherConfirm`]; the publish span ends with it.
///
/// The span's outcome: `ack`, or no confirms requested: success. `nack`: error `nack`. A message that came back as unroutable: error
/// `NO_ROUTE`, although the confirm says `ack`. A lost channel or connection: that error. Dropped without being awaited: no error,
/// because the message is with the broker; [`Channel::wait_for_confirms`](lapin::Channel::wait_for_confirms) collects its answer, as
/// without this crate.
///
/// ```no_run
/// # use lapin::{BasicProperties, options::BasicPublishOptions};
/// # use traced_rabbitmq::TracedDestination;
/// # async fn example(orders: TracedDestination) -> lapin::Result<()> {
/// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
/// let confirm = orders.publish(options, b"{}", properties).await?; // handed to the broker
/// // ... meanwhile, something else ...
/// assert!(confirm.await?.is_ack()); // answered: the span ends
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "the broker's answer is only known when this is awaited"]
pub struct TracedConfirm {
    confirm: PublisherConfirm,
    span: Option<MessageSpan>,
}

impl TracedConfirm {
    pub(crate) fn new(confirm: PublisherConfirm, span: MessageSpan) -> Self {
        Self { confirm, span: Some(span) }
    }

    /// lapin's future.
    ///
    /// ```no_run
    /// # use lapin::{BasicProperties, PublisherConfirm, options::BasicPublishOptions};
    /// # use traced_rabbitmq::TracedDestination;
    /// # async fn example(orders: TracedDestination) -> lapin::Result<()> {
    /// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    /// let confirm = orders.publish(options, b"{}", properties).await?;
    /// let _: &PublisherConfirm = confirm.get_ref(); // for code that knows lapin's type alone
    /// assert!(confirm.await?.is_ack()); // the span waits for the answer all the same
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &PublisherConfirm {
        &self.confirm
    }

    /// Gives lapin's future back; the span ends here, without an error.
    ///
    /// ```no_run
    /// # use lapin::{BasicProperties, PublisherConfirm, options::BasicPublishOptions};
    /// # use traced_rabbitmq::TracedDestination;
    /// # async fn example(orders: TracedDestination) -> lapin::Result<()> {
    /// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    /// let mut unanswered: Vec<PublisherConfirm> = Vec::new(); // of code that knows lapin's type alone
    /// unanswered.push(orders.publish(options, b"{}", properties).await?.into_inner()); // the span ends
    /// for confirm in unanswered {
    ///     assert!(confirm.await?.is_ack());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn into_inner(self) -> PublisherConfirm {
        self.confirm
    }
}

impl Future for TracedConfirm {
    type Output = lapin::Result<Confirmation>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.confirm).poll(task));
        if let Some(span) = self.span.take() {
            span.end(error::of_confirmation(&answer));
        }
        Poll::Ready(answer)
    }
}
