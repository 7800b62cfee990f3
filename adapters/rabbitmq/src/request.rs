//! Request and reply over RabbitMQ's direct reply-to.

use crate::TracedDelivery;
use crate::source::Source;
use crate::{TracedConfirm, TracedProducer, error};
use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::Arc;
use traced_envelope::Settings;

/// RabbitMQ's pseudo-queue: replies come back over the channel that asked, without a queue (*Direct Reply-to*).
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// A channel that asks and waits for the answer: publishes requests with `reply_to` and a correlation id, and hands over each one's
/// reply.
///
/// The request's publish span ends when the broker confirms it; the responder's spans are its children, and so is the span in which the
/// reply is processed, unless a span is active around it (which is then the parent).
///
/// ```no_run
/// use lapin::{BasicProperties, Channel};
/// use traced_rabbitmq::TracedRequester;
///
/// # async fn example(channel: Channel) -> lapin::Result<()> {
/// let mut requester = TracedRequester::new(channel).await?;
/// let reply = requester.request("".into(), "prices".into(), b"item 42", BasicProperties::default()).await?;
/// if let Some(reply) = reply {
///     let price = reply.process(async |reply| Ok::<_, lapin::Error>(reply.data)).await?;
///     assert!(!price.is_empty());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TracedRequester {
    producer: TracedProducer,
    replies: Consumer,
    source: Arc<Source>,
    ids: CorrelationIds,
}

/// Correlation ids that no other requester has: they are the messages' conversation ids, by which backends find them.
#[derive(Debug)]
struct CorrelationIds {
    requester: u64,
    asked: u64,
}

impl CorrelationIds {
    fn new() -> Self {
        // The standard library's one source of random numbers.
        Self { requester: RandomState::new().hash_one(()), asked: 0 }
    }

    fn next(&mut self) -> ShortString {
        self.asked += 1;
        format!("{:016x}-{}", self.requester, self.asked).into()
    }
}

impl TracedRequester {
    /// Asks over this channel, with the process-wide providers and propagator.
    ///
    /// ```no_run
    /// # use lapin::Channel;
    /// # use traced_rabbitmq::TracedRequester;
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// let requester = TracedRequester::new(channel).await?; // waits for replies on this channel
    /// assert!(requester.get_ref().status().connected());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, if the channel cannot consume replies.
    pub async fn new(channel: Channel) -> lapin::Result<Self> {
        Self::with_settings(channel, &Settings::default()).await
    }

    /// Asks over this channel, with settings of its own.
    ///
    /// ```no_run
    /// # use lapin::{BasicProperties, Channel};
    /// # use traced_rabbitmq::TracedRequester;
    /// # use traced_rabbitmq::envelope::testing::Capture;
    /// # async fn example(channel: Channel) -> lapin::Result<()> {
    /// # let capture = Capture::new();
    /// let mut requester = TracedRequester::with_settings(channel, &capture.settings("shop")).await?;
    /// requester.request("".into(), "prices".into(), b"item 42", BasicProperties::default()).await?;
    /// assert_eq!(capture.span("publish prices").service(), "shop");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, if the channel cannot consume replies.
    pub async fn with_settings(channel: Channel, settings: &Settings) -> lapin::Result<Self> {
        // Direct reply-to knows no acknowledgements.
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let replies =
            channel.basic_consume(REPLY_TO.into(), ShortString::default(), options, FieldTable::default()).await?;
        let source = Source { no_ack: true, pulled: true, ..Source::of_queue(REPLY_TO.into(), settings) };
        let producer = TracedProducer::with_settings(channel, settings);
        Ok(Self { producer, replies, source: Arc::new(source), ids: CorrelationIds::new() })
    }

    /// The channel.
    ///
    /// ```no_run
    /// # use lapin::options::ConfirmSelectOptions;
    /// # use traced_rabbitmq::TracedRequester;
    /// # async fn example(requester: TracedRequester) -> lapin::Result<()> {
    /// requester.get_ref().confirm_select(ConfirmSelectOptions::default()).await?;
    /// assert!(requester.get_ref().status().confirm()); // a request that no queue takes is an error from now on
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Channel {
        self.producer.get_ref()
    }

    /// Gives the channel back; replies are no longer consumed.
    ///
    /// ```no_run
    /// # use traced_rabbitmq::TracedRequester;
    /// # async fn example(requester: TracedRequester) -> lapin::Result<()> {
    /// let channel = requester.into_inner();
    /// channel.close(200, "shutting down".into()).await?;
    /// assert!(!channel.status().connected());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Channel {
        self.producer.into_inner()
    }

    /// Publishes a request and waits for its reply; `None` when the consumer of replies was cancelled. `reply_to` of the
    /// properties is set here, and a correlation id where there is none: one that no other requester has. One that is given must not be
    /// that of an earlier request, whose late reply would be taken for this one's. There is no time limit: put one around it.
    ///
    /// ```no_run
    /// # use lapin::BasicProperties;
    /// # use traced_rabbitmq::TracedRequester;
    /// # async fn example(mut requester: TracedRequester) -> lapin::Result<()> {
    /// let properties = BasicProperties::default().with_expiration("1000".into()); // later, nobody wants the answer
    /// let reply = requester.request("".into(), "prices".into(), b"item 42", properties).await?;
    /// assert!(reply.is_some_and(|reply| !reply.get_ref().data.is_empty()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own; on a channel with publisher confirms also that of a request that no queue took, such as `NO_ROUTE`.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the reply to this request is passed over by the next one.
    pub async fn request(
        &mut self,
        exchange: ShortString,
        routing_key: ShortString,
        payload: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<Option<TracedDelivery>> {
        let id = properties.correlation_id().clone().unwrap_or_else(|| self.ids.next());
        let properties = properties.with_reply_to(REPLY_TO.into()).with_correlation_id(id.clone());
        // Nobody answers what no queue took.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirm = self.producer.publish(exchange, routing_key, options, payload, properties).await?;
        error::refused(confirm.await?)?;
        while let Some(reply) = poll_fn(|task| Pin::new(&mut self.replies).poll_next(task)).await {
            let reply = reply?;
            if reply.properties.correlation_id().as_ref() == Some(&id) {
                return Ok(Some(TracedDelivery::new(reply, Arc::clone(&self.source))));
            }
        }
        Ok(None)
    }
}

impl TracedProducer {
    /// Publishes the reply to a request, to where its `reply_to` says and with its correlation id; `None` when it asks for no reply. Call
    /// it inside the handler: its span is then the process span's child.
    ///
    /// ```no_run
    /// use lapin::BasicProperties;
    /// use traced_rabbitmq::{TracedDelivery, TracedProducer};
    ///
    /// # async fn example(producer: &TracedProducer, delivery: TracedDelivery) -> lapin::Result<()> {
    /// delivery
    ///     .process(async |request| {
    ///         if let Some(confirm) = producer.reply(&request, b"9.90", BasicProperties::default()).await? {
    ///             confirm.await?;
    ///         }
    ///         Ok::<_, lapin::Error>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged.
    pub async fn reply(
        &self,
        request: &Delivery,
        payload: &[u8],
        mut properties: BasicProperties,
    ) -> lapin::Result<Option<TracedConfirm>> {
        let Some(reply_to) = request.properties.reply_to().clone() else { return Ok(None) };
        if let Some(id) = request.properties.correlation_id().clone() {
            properties = properties.with_correlation_id(id);
        }
        let options = BasicPublishOptions::default();
        self.publish(ShortString::default(), reply_to, options, payload, properties).await.map(Some)
    }
}
