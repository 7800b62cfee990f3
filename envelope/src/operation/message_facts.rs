//! What is known of the message that an operation is about.

use super::Operation;
use crate::Fact;
use crate::semconv::Name;
use std::time::SystemTime;

impl<'a> Operation<'a> {
    /// The message's id.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let operation = Operation::new("publish", "orders").message_id("7d3a"); // or an Option, as clients have it
    /// drop(telemetry.send(operation, &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish orders").attribute("messaging.message.id"), Some(&"7d3a".into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn message_id(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.message_id = id.into();
        self
    }

    /// The conversation that the message belongs to: AMQP's correlation id.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("rabbitmq", &capture.settings("shop"));
    /// let correlation_id = Some("checkout-42");
    /// let operation = Operation::new("publish", "orders").conversation_id(correlation_id);
    /// drop(telemetry.send(operation, &mut MessageHeaders::new()));
    /// let span = capture.span("publish orders");
    /// assert_eq!(span.attribute("messaging.message.conversation_id"), Some(&"checkout-42".into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn conversation_id(mut self, id: impl Into<Option<&'a str>>) -> Self {
        self.conversation_id = id.into();
        self
    }

    /// The partition.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("kafka", &capture.settings("warehouse"));
    /// drop(telemetry.process(Operation::new("process", "orders").partition(3), &MessageHeaders::new()));
    /// let span = capture.span("process orders");
    /// assert_eq!(span.attribute("messaging.destination.partition.id"), Some(&"3".into())); // a text
    /// ```
    #[inline]
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// How many messages the operation handles at once; only for calls that could handle several.
    ///
    /// ```
    /// use traced_envelope::{Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// telemetry.send_batch(Operation::new("publish", "orders").batch(3), []).end(Outcome::Ok);
    /// let span = capture.span("publish orders");
    /// assert_eq!(span.attribute("messaging.batch.message_count"), Some(&3.into()));
    /// assert_eq!(capture.metric("messaging.client.sent.messages").value(), 3.0);
    /// ```
    #[inline]
    #[must_use]
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = Some(messages);
        self
    }

    /// The payload's size in bytes; written when [`Settings::message_sizes`](crate::Settings::message_sizes) asks for it.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop").message_sizes(true));
    /// let body = br#"{"id":42}"#;
    /// let operation = Operation::new("publish", "orders").body_size(body.len());
    /// drop(telemetry.send(operation, &mut MessageHeaders::new()));
    /// assert_eq!(capture.span("publish orders").attribute("messaging.message.body.size"), Some(&9.into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn body_size(mut self, bytes: usize) -> Self {
        self.body_size = Some(bytes);
        self
    }

    /// The key of a Kafka record; written if it is UTF-8 and [`Settings::message_keys`](crate::Settings::message_keys) asks for it.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("kafka", &capture.settings("shop").message_keys(true));
    /// let operation = Operation::new("send", "orders").message_key(&b"customer-7"[..]);
    /// telemetry.send(operation, &mut MessageHeaders::new()).end(Outcome::Ok);
    /// let key = "customer-7".into();
    /// assert_eq!(capture.span("send orders").attribute("messaging.kafka.message.key"), Some(&key));
    /// ```
    #[inline]
    #[must_use]
    pub fn message_key(mut self, key: impl Into<Option<&'a [u8]>>) -> Self {
        self.message_key = key.into();
        self
    }

    /// Which attempt at the message this is: 1 for the first.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
    /// drop(telemetry.process(Operation::new("process", "emails").attempt(2), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process emails").attribute("traced.message.attempt"), Some(&2.into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn attempt(mut self, attempt: impl Into<Option<u32>>) -> Self {
        self.attempt = attempt.into();
        self
    }

    /// Whether the broker says that it has delivered the message before.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").filter(|message| message.redelivered()); // hooks are told
    /// let telemetry = Telemetry::new("rabbitmq", &settings);
    /// for redelivered in [false, true] {
    ///     let operation = Operation::new("process", "orders").redelivered(redelivered);
    ///     drop(telemetry.process(operation, &MessageHeaders::new()));
    /// }
    /// assert_eq!(capture.spans().len(), 1);
    /// ```
    #[inline]
    #[must_use]
    pub fn redelivered(mut self, redelivered: bool) -> Self {
        self.redelivered = redelivered;
        self
    }

    /// The client tries by itself again what it was delivered once: the message has been counted, and so have its waiting and a missing
    /// context.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
    /// for again in [false, true] {
    ///     telemetry.process(Operation::new("process", "emails").again(again), &MessageHeaders::new()).end(Outcome::Ok);
    /// }
    /// assert_eq!(capture.metric("messaging.process.duration").count(), Some(2)); // two attempts
    /// assert_eq!(capture.metric("messaging.client.consumed.messages").value(), 1.0); // at one message
    /// ```
    #[inline]
    #[must_use]
    pub fn again(mut self, again: bool) -> Self {
        self.again = again;
        self
    }

    /// When the message was handed to the broker, by a clock with a resolution of milliseconds or better; a time in the future counts
    /// as now.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let sent = SystemTime::now() - Duration::from_secs(2); // a timestamp on the message
    /// drop(telemetry.process(Operation::new("process", "orders").sent_at(sent), &MessageHeaders::new()));
    /// assert!(capture.metric("traced.message.wait.duration").value() >= 2.0);
    /// ```
    #[inline]
    #[must_use]
    pub fn sent_at(mut self, time: impl Into<Option<SystemTime>>) -> Self {
        self.sent_at = time.into();
        self
    }

    /// An attribute of this one message, such as a delivery tag or an offset; those beyond the third are left out.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, semconv, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("kafka", &capture.settings("warehouse"));
    /// let operation = Operation::new("process", "orders").attribute(&semconv::KAFKA_OFFSET, 41);
    /// drop(telemetry.process(operation, &MessageHeaders::new()));
    /// assert_eq!(capture.span("process orders").attribute("messaging.kafka.offset"), Some(&41.into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn attribute(mut self, name: &'a Name, value: impl Into<Fact<'a>>) -> Self {
        if let [free @ None, ..] | [_, free @ None, _] | [_, _, free @ None] = &mut self.attributes {
            *free = Some((name, value.into()));
        }
        self
    }

    /// Attributes of this one message, for transports that tell more of it than [`attribute`](Self::attribute) has room for.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Telemetry, semconv, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
    /// let facts = [(semconv::APALIS_MAX_ATTEMPTS, 25.into()), (semconv::APALIS_WORKER, "mailer-1".into())];
    /// drop(telemetry.process(Operation::new("process", "emails").facts(&facts), &MessageHeaders::new()));
    /// assert_eq!(capture.span("process emails").attribute("apalis.worker"), Some(&"mailer-1".into()));
    /// ```
    #[inline]
    #[must_use]
    pub fn facts(mut self, facts: &'a [(Name, Fact<'a>)]) -> Self {
        self.facts = facts;
        self
    }
}
