//! Publishing with a span for each message.

use crate::{destination, error};
use redis::aio::ConnectionLike;
use redis::{Cmd, RedisResult};
use traced_envelope::{Form, MessageHeaders, MessageSpan, Operation, PreparedDestination, Settings, Status, Telemetry};

/// A connection that publishes with a span for each message, whose context travels in an envelope around the payload.
#[derive(Clone, Debug)]
pub struct TracedProducer<C> {
    connection: C,
    form: Form,
    telemetry: Telemetry,
}

impl<C> TracedProducer<C> {
    /// Publishes over this connection, with the process-wide providers and propagator.
    #[must_use]
    pub fn new(connection: C, form: Form) -> Self {
        Self::with_settings(connection, form, &Settings::default())
    }

    /// Publishes over this connection, with settings of its own.
    #[must_use]
    pub fn with_settings(connection: C, form: Form, settings: &Settings) -> Self {
        Self { connection, form, telemetry: crate::telemetry(settings) }
    }

    /// The connection.
    #[must_use]
    pub fn get_ref(&self) -> &C {
        &self.connection
    }

    /// The connection, for other commands.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Gives the connection back.
    #[must_use]
    pub fn into_inner(self) -> C {
        self.connection
    }

    /// Whether spans are made, or no SDK was seen so far.
    #[must_use]
    pub fn status(&self) -> Status {
        self.telemetry.status()
    }

    pub(crate) fn prepared(&self, operation: &'static str, channel: &str) -> PreparedDestination {
        self.telemetry.prepared(operation, &[channel], |_| destination::of_channel(channel))
    }

    /// Starts the span and puts its context around the payload.
    fn send(&self, channel: &[u8], payload: &[u8]) -> (MessageSpan, Cmd) {
        let destination = self.prepared("publish", &String::from_utf8_lossy(channel));
        let mut headers = MessageHeaders::new();
        let operation = Operation::new("publish", &destination).body_size(payload.len());
        let span = self.telemetry.send(operation, &mut headers);
        (span, Cmd::publish(channel, &*self.form.encode(&headers, payload)))
    }
}

impl<C: ConnectionLike> TracedProducer<C> {
    /// `PUBLISH`, inside a span `publish {channel}`: how many subscriptions got the message.
    ///
    /// # Errors
    ///
    /// redis' own, unchanged; the span has it as status and `error.type`.
    pub async fn publish(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> RedisResult<usize> {
        let (span, command) = self.send(channel.as_ref(), payload.as_ref());
        span.run_with(command.query_async(&mut self.connection), error::of_result).await
    }
}
