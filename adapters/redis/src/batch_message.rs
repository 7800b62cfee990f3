//! Processing many messages in one span.

use crate::message::Place;
use crate::source::{Source, channel};
use crate::{Message, TracedConsumer, TracedMessage};
use opentelemetry::propagation::Extractor;
use redis::Msg;
use std::fmt::Display;
use std::future::Future;
use traced_envelope::semconv::DESTINATION_NAME;
use traced_envelope::{Destination, Envelope, Fact, MessageSpan, Operation};

impl<S> TracedConsumer<S> {
    /// Runs the handler with many messages inside one span, which links each one's creation context (each once, at most 128) and
    /// carries no single message's baggage. What differs between the messages stands on their links.
    ///
    /// ```no_run
    /// use redis::aio::PubSub;
    /// use traced_redis::{Message, TracedConsumer, TracedMessage};
    ///
    /// # async fn write_all(_: &[Message]) -> redis::RedisResult<()> { Ok(()) }
    /// # async fn example(consumer: TracedConsumer<PubSub>, messages: Vec<TracedMessage>) -> redis::RedisResult<()> {
    /// consumer.process_batch(messages, async |messages| write_all(&messages).await).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    ///
    /// # Cancel safety
    ///
    /// As [`TracedMessage::process`].
    pub async fn process_batch<H, F, T, E>(&self, messages: Vec<TracedMessage>, handler: H) -> Result<T, E>
    where
        H: FnOnce(Vec<Message>) -> F,
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let (span, messages) = self.source.process_batch(messages);
        span.run(async move { handler(messages).await }).await
    }

    /// [`process_batch`](Self::process_batch) for a handler that is no future.
    ///
    /// ```no_run
    /// use traced_redis::{Message, TracedConsumer, TracedMessage};
    ///
    /// # fn write_all(_: &[Message]) -> redis::RedisResult<()> { Ok(()) }
    /// # fn example(consumer: TracedConsumer<()>, messages: Vec<TracedMessage>) -> redis::RedisResult<()> {
    /// consumer.process_batch_blocking(messages, |messages| write_all(&messages))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handler's own, unchanged.
    pub fn process_batch_blocking<H, T, E>(&self, messages: Vec<TracedMessage>, handler: H) -> Result<T, E>
    where
        H: FnOnce(Vec<Message>) -> Result<T, E>,
        E: Display + 'static,
    {
        let (span, messages) = self.source.process_batch(messages);
        span.in_scope(|| handler(messages))
    }
}

impl Source {
    fn process_batch(&self, messages: Vec<TracedMessage>) -> (MessageSpan, Vec<Message>) {
        let messages: Vec<Msg> = messages.into_iter().map(TracedMessage::into_inner).collect();
        let envelopes: Vec<_> =
            messages.iter().map(|message| Envelope::decode(message.get_payload_bytes(), self.accepted())).collect();
        let span = self.batch_span(&messages, &envelopes);
        let payloads: Vec<_> = envelopes.into_iter().map(Place::of).collect();
        (span, messages.into_iter().zip(payloads).map(|(message, payload)| Message::new(message, payload)).collect())
    }

    fn batch_span(&self, messages: &[Msg], envelopes: &[Envelope<'_>]) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let mut destinations = messages.iter().map(|message| self.destination(message));
        let first = destinations.next();
        // By the span's name, too: a channel may have come by its name and through a pattern.
        let shared = first.filter(|first| {
            destinations.all(|other| other.name() == first.name() && other.span_name() == first.span_name())
        });
        let differing = shared.is_none();
        let destination = shared.unwrap_or_else(|| self.telemetry.prepare("process", Destination::default()));
        let channels: Vec<_> = messages.iter().map(channel).collect();
        let messages = envelopes.iter().zip(&channels).map(|(envelope, channel)| {
            let mut own = Vec::new();
            if differing {
                own.push((DESTINATION_NAME, Fact::Text(channel)));
            }
            (envelope as &dyn Extractor, own)
        });
        let operation = Operation::new("process", &destination).batch(envelopes.len());
        self.telemetry.process_batch(operation, messages)
    }
}
