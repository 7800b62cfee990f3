//! Publishing many messages with one send span.

use crate::handing_over::handing_over;
use crate::injection::with_headers;
use crate::{HeaderExtractor, HeaderInjector, TracedProducer, error};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use opentelemetry::trace::SpanContext;
use std::pin::pin;
use traced_envelope::{Destination, MessageSpan, Operation, Outcome, shared};

/// One message of a batch: the arguments of [`Channel::basic_publish`](lapin::Channel::basic_publish).
///
/// ```
/// # use lapin::{BasicProperties, options::BasicPublishOptions};
/// # use traced_rabbitmq::BatchMessage;
/// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
/// let (exchange, routing_key) = ("orders".into(), "order.created".into());
/// let first = BatchMessage { exchange, routing_key, options, payload: b"41", properties };
/// let second = BatchMessage { payload: b"42", ..first.clone() };
/// assert_eq!(second.routing_key, first.routing_key);
/// ```
#[derive(Clone, Debug)]
pub struct BatchMessage<'a> {
    /// The exchange.
    pub exchange: ShortString,
    /// The routing key.
    pub routing_key: ShortString,
    /// Options.
    pub options: BasicPublishOptions,
    /// The payload.
    pub payload: &'a [u8],
    /// Properties; a context in their headers is replaced.
    pub properties: BasicProperties,
}

impl TracedProducer {
    /// Publishes messages in their order: a create span for each, whose context it carries, and one send span that links them and ends
    /// when the broker has answered them all. [`Settings::create_spans`](traced_envelope::Settings::create_spans) switches the
    /// create spans off; the messages then carry the send span's context. A batch of no messages has no span.
    ///
    /// The counter of sent messages counts each one that was handed to lapin: with the span's error if it came back, was refused, or its
    /// answer was lost, and else without.
    ///
    /// ```no_run
    /// use lapin::{BasicProperties, options::BasicPublishOptions};
    /// use traced_rabbitmq::{BatchMessage, TracedProducer};
    ///
    /// # async fn example(producer: TracedProducer) -> lapin::Result<()> {
    /// let orders = [&b"1"[..], b"2"].map(|payload| BatchMessage {
    ///     exchange: "orders".into(),
    ///     routing_key: "order.created".into(),
    ///     options: BasicPublishOptions::default(),
    ///     payload,
    ///     properties: BasicProperties::default(),
    /// });
    /// let confirmations = producer.publish_batch(orders).await?;
    /// assert!(confirmations.iter().all(|confirmation| confirmation.is_ack()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The first of lapin's errors; messages before it may have been delivered.
    ///
    /// # Cancel safety
    ///
    /// Dropped while messages are sent, some of them are published, and the span ends as `cancelled`; dropped while only answers are
    /// missing, it ends without an error.
    pub async fn publish_batch<'a>(
        &self,
        messages: impl IntoIterator<Item = BatchMessage<'a>>,
    ) -> lapin::Result<Vec<Confirmation>> {
        let mut messages: Vec<_> = messages.into_iter().map(|message| (message, false)).collect();
        let linked = self.create_each(&mut messages);
        let routes = messages.iter().map(|(message, _)| (message.exchange.as_str(), message.routing_key.as_str()));
        // A value that all messages share stands on the span, one that differs does not.
        let destination = match shared(routes) {
            Some((exchange, routing_key)) => self.prepared("publish", exchange, routing_key),
            None => self.telemetry().prepare("publish", Destination::default()),
        };
        let operation = Operation::new("publish", &destination).batch(messages.len());
        let mut span = self.telemetry().send_batch(operation, linked);
        let result = self.publish_each(messages, &mut span).await;
        span.end(match &result {
            Ok(answers) => answers.iter().map(error::of_answer).find(is_error).unwrap_or(Outcome::Ok),
            Err(error) => error::of_error(error),
        });
        result
    }

    /// What the send span links: each message's creation context, or where create spans are switched off the one that is replaced. Marks
    /// the messages to which the send span's own context is to be written.
    fn create_each(&self, messages: &mut [(BatchMessage<'_>, bool)]) -> Vec<SpanContext> {
        let telemetry = self.telemetry();
        let mut linked = Vec::with_capacity(messages.len());
        for (message, shares) in messages {
            let headers = message.properties.headers().as_ref();
            let existing = headers.map(|headers| telemetry.existing(&HeaderExtractor(headers))).unwrap_or_default();
            if let Some(kept) = telemetry.kept(&existing) {
                linked.push(kept);
            } else if telemetry.makes_create_spans() {
                let destination = self.prepared("create", message.exchange.as_str(), message.routing_key.as_str());
                let properties = std::mem::take(&mut message.properties);
                let operation = Operation::new("create", &destination);
                let (span, properties) = self.inject(operation, message.payload, properties, |operation, headers| {
                    telemetry.create(operation, headers)
                });
                message.properties = properties;
                linked.extend(span.span_context());
                span.end(Outcome::Ok);
            } else {
                *shares = true;
                linked.extend(existing.span_context().cloned());
            }
        }
        linked
    }

    async fn publish_each(
        &self,
        messages: Vec<(BatchMessage<'_>, bool)>,
        span: &mut MessageSpan,
    ) -> lapin::Result<Vec<Confirmation>> {
        let all = messages.len();
        let mut confirms = Vec::with_capacity(all);
        for (BatchMessage { exchange, routing_key, options, payload, mut properties }, shares) in messages {
            if shares {
                let mut headers = properties.headers().clone().unwrap_or_default();
                span.inject(&mut HeaderInjector(&mut headers));
                properties = with_headers(properties, headers);
            }
            let call = pin!(self.get_ref().basic_publish(exchange, routing_key, options, payload, properties));
            let attempted = confirms.len() + 1;
            let confirm = handing_over(call, || {
                span.set_messages(attempted, 0);
                if attempted == all {
                    span.handed_over();
                }
            });
            // Only a lost channel or connection is an error here, with which the answers to the messages before are lost too.
            confirms.push(confirm.await.inspect_err(|_| span.set_messages(0, attempted))?);
        }
        let mut answers = Vec::with_capacity(all);
        let mut good = 0;
        for confirm in confirms {
            let answer = confirm.await.inspect_err(|_| span.set_messages(good, all - good))?;
            good += usize::from(!is_error(&error::of_answer(&answer)));
            answers.push(answer);
        }
        span.set_messages(good, all - good);
        Ok(answers)
    }
}

fn is_error(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Error { .. })
}
