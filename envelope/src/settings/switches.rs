//! What is recorded, and within which limits.

use super::Settings;
use std::time::Duration;

impl Settings {
    /// Switches everything off, or on again: messages pass untouched, and nothing is allocated for them. Default: on.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let quiet = Telemetry::new("nats", &capture.settings("shop").enabled(false));
    /// quiet.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    /// assert!(capture.spans().is_empty());
    /// ```
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Whether instruments count and time messages. Default: yes.
    #[must_use]
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }

    /// Whether spans carry `messaging.message.body.size`, and where a message is in an envelope that holds its context (Redis pub/sub)
    /// `messaging.message.envelope.size` too: opt-in by the conventions. Default: no.
    #[must_use]
    pub fn message_sizes(mut self, on: bool) -> Self {
        self.message_sizes = on;
        self
    }

    /// Whether spans carry the keys of Kafka's records, `messaging.kafka.message.key`, where they are UTF-8: keys may be personal data.
    /// Default: no.
    #[must_use]
    pub fn message_keys(mut self, on: bool) -> Self {
        self.message_keys = on;
        self
    }

    /// Whether each message of a batch gets a create span of its own; without, all share the context of the one send span.
    /// Default: yes.
    #[must_use]
    pub fn create_spans(mut self, on: bool) -> Self {
        self.create_spans = on;
        self
    }

    /// Whether a pull that brought a message makes a receive span. Default: no.
    #[must_use]
    pub fn receive_spans(mut self, on: bool) -> Self {
        self.receive_spans = on;
        self
    }

    /// Whether acknowledgements make settle spans. Default: no.
    #[must_use]
    pub fn settle_spans(mut self, on: bool) -> Self {
        self.settle_spans = on;
        self
    }

    /// From which age on [`Message::is_old`](crate::Message::is_old) says so. Default: 60 seconds.
    #[must_use]
    pub fn old_after(mut self, age: Duration) -> Self {
        self.old_after = age;
        self
    }

    /// Whether a message of this age is older than [`old_after`](Self::old_after) says: for adapters.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let settings = traced_envelope::Settings::default();
    /// assert!(settings.is_old(Duration::from_secs(61)) && !settings.is_old(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub fn is_old(&self, age: Duration) -> bool {
        age > self.old_after
    }

    /// How many spans may wait for their message's acknowledgement at a time; beyond it the oldest is ended. Default: 10 000.
    ///
    /// It is about messages that are acknowledged by a number, RabbitMQ's. An open message of Kafka or Redis owns its span: nothing ends
    /// that before, and dropped with its message it cannot pile up.
    #[must_use]
    pub fn open_span_limit(mut self, spans: usize) -> Self {
        self.open_span_limit = spans;
        self
    }

    /// How long a span may wait for its message's acknowledgement; it is looked at on every call, there is no timer. Default: 30
    /// minutes, after which RabbitMQ closes the channel of a consumer that does not acknowledge. For those of
    /// [`open_span_limit`](Self::open_span_limit).
    #[must_use]
    pub fn open_span_time_limit(mut self, limit: Duration) -> Self {
        self.open_span_time_limit = limit;
        self
    }
}
