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
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").metrics(false));
    /// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
    /// assert!(capture.metrics().is_empty() && capture.spans().len() == 1);
    /// ```
    #[must_use]
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }

    /// Whether spans carry `messaging.message.body.size`, and where a message is in an envelope that holds its context (Redis pub/sub)
    /// `messaging.message.envelope.size` too: opt-in by the conventions. Default: no.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").message_sizes(true));
    /// drop(telemetry.send(Operation::new("publish", "orders").body_size(512), &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish orders").attribute("messaging.message.body.size"), Some(&512.into()));
    /// ```
    #[must_use]
    pub fn message_sizes(mut self, on: bool) -> Self {
        self.message_sizes = on;
        self
    }

    /// Whether spans carry the keys of Kafka's records, `messaging.kafka.message.key`, where they are UTF-8: keys may be personal data.
    /// Default: no.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// for (topic, shown) in [("orders", true), ("customers", false)] {
    ///     let telemetry = Telemetry::new("kafka", &capture.settings("shop").message_keys(shown));
    ///     let operation = Operation::new("send", topic).message_key(&b"order-42"[..]);
    ///     drop(telemetry.send(operation, &mut MessageHeaders::new()));
    /// }
    /// assert_eq!(capture.span("send orders").attribute("messaging.kafka.message.key"), Some(&"order-42".into()));
    /// assert_eq!(capture.span("send customers").attribute("messaging.kafka.message.key"), None);
    /// ```
    #[must_use]
    pub fn message_keys(mut self, on: bool) -> Self {
        self.message_keys = on;
        self
    }

    /// Whether each message of a batch gets a create span of its own; without, all share the context of the one send span.
    /// Default: yes.
    ///
    /// ```
    /// use opentelemetry::propagation::Extractor;
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").create_spans(false));
    /// let span = telemetry.send_batch(Operation::new("publish", "orders").batch(2), []);
    /// let mut messages = [MessageHeaders::new(), MessageHeaders::new()];
    /// messages.iter_mut().for_each(|headers| span.inject(headers));
    /// span.end(Outcome::Ok);
    /// assert_eq!(messages[0].get("traceparent"), messages[1].get("traceparent"));
    /// capture.assert_trace("publish orders  shop  PRODUCER");
    /// ```
    #[must_use]
    pub fn create_spans(mut self, on: bool) -> Self {
        self.create_spans = on;
        self
    }

    /// Whether a pull that brought a message makes a receive span. Default: no.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("warehouse").receive_spans(true));
    /// telemetry.receive(Operation::new("poll", "orders"), SystemTime::now(), []).end(Outcome::Ok);
    /// capture.assert_trace("poll orders  warehouse  CLIENT"); // how long the client's call took
    /// ```
    #[must_use]
    pub fn receive_spans(mut self, on: bool) -> Self {
        self.receive_spans = on;
        self
    }

    /// Whether acknowledgements make settle spans. Default: no.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("rabbitmq", &capture.settings("warehouse").settle_spans(true));
    /// telemetry.settle(Operation::new("ack", "orders"), []).end(Outcome::error("closed", "the channel is closed"));
    /// capture.assert_trace("ack orders  warehouse  CLIENT  ✗ closed"); // the message will come again
    /// ```
    #[must_use]
    pub fn settle_spans(mut self, on: bool) -> Self {
        self.settle_spans = on;
        self
    }

    /// From which age on [`Message::is_old`](crate::Message::is_old) says so. Default: 60 seconds.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use traced_envelope::{MessageHeaders, Operation, Relation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// # let headers: MessageHeaders = [("traceparent", parent)].into_iter().collect();
    /// let settings = capture.settings("warehouse").old_after(Duration::from_secs(3600)).relation_with(|message| {
    ///     if message.is_old() { Relation::New } else { Relation::Auto } // a trace that ends tomorrow helps nobody
    /// });
    /// let sent = SystemTime::now() - Duration::from_secs(7200);
    /// drop(Telemetry::new("nats", &settings).process(Operation::new("process", "orders").sent_at(sent), &headers));
    /// assert_eq!(capture.span("process orders").parent_id(), None);
    /// ```
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
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").open_span_limit(1);
    /// let (telemetry, open) = (Telemetry::new("nats", &settings), OpenSpans::new(&settings));
    /// open.insert(1, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// open.insert(2, telemetry.process(Operation::new("process", "parcels"), &MessageHeaders::new()));
    /// capture.assert_trace("process orders  warehouse  CONSUMER  ✗ cancelled");
    /// ```
    #[must_use]
    pub fn open_span_limit(mut self, spans: usize) -> Self {
        self.open_span_limit = spans;
        self
    }

    /// How long a span may wait for its message's acknowledgement; it is looked at on every call, there is no timer. Default: 30
    /// minutes, after which RabbitMQ closes the channel of a consumer that does not acknowledge. For those of
    /// [`open_span_limit`](Self::open_span_limit).
    ///
    /// ```
    /// use std::time::Duration;
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").open_span_time_limit(Duration::ZERO);
    /// let (telemetry, open) = (Telemetry::new("nats", &settings), OpenSpans::new(&settings));
    /// open.insert(1, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// assert!(open.is_empty()); // nobody has acknowledged the message in time
    /// capture.assert_trace("process orders  warehouse  CONSUMER  ✗ timeout");
    /// ```
    #[must_use]
    pub fn open_span_time_limit(mut self, limit: Duration) -> Self {
        self.open_span_time_limit = limit;
        self
    }
}
