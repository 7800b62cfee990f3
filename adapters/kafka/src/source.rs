//! Where messages come from: what a process span says of them besides the message itself.

use crate::attempt::AttemptHeaders;
use crate::{HeaderExtractor, NativeMessage, destination};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use rdkafka::message::Timestamp;
use std::time::{Duration, SystemTime};
use traced_envelope::semconv::{KAFKA_OFFSET, KAFKA_TOMBSTONE};
use traced_envelope::{Fact, MessageHeaders, MessageSpan, Operation, PreparedDestination, Settings, Telemetry};

/// Where messages come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) telemetry: Telemetry,
    pub(crate) attempt_headers: AttemptHeaders,
}

impl Source {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { telemetry: crate::telemetry(settings), attempt_headers: AttemptHeaders::default() }
    }

    pub(crate) fn destination(&self, topic: &str) -> PreparedDestination {
        self.telemetry.prepared("process", &[topic], |_| destination::of_topic(topic))
    }

    pub(crate) fn process<M: NativeMessage>(&self, message: &M) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let destination = self.destination(message.topic());
        let mut operation = Operation::new("process", &destination)
            .partition(message.partition())
            .message_key(message.key())
            .body_size(message.payload().map_or(0, <[u8]>::len))
            .attempt(self.attempt_headers.attempt(message.native_headers()))
            .sent_at(sent_at(message.timestamp()))
            .attribute(&KAFKA_OFFSET, message.offset());
        if message.payload().is_none() {
            operation = operation.attribute(&KAFKA_TOMBSTONE, Fact::Flag(true));
        }
        with_headers(message, |headers| self.telemetry.process(operation, headers))
    }

    /// The context that the message was sent with.
    pub(crate) fn creation<M: NativeMessage>(&self, message: &M) -> SpanContext {
        with_headers(message, |headers| self.telemetry.extract(headers).span().span_context().clone())
    }
}

/// Calls with the headers of a message; with none, where it has none.
fn with_headers<M: NativeMessage, T>(message: &M, read: impl FnOnce(&dyn Extractor) -> T) -> T {
    match message.native_headers() {
        Some(headers) => read(&HeaderExtractor(headers)),
        None => read(&MessageHeaders::new()),
    }
}

/// When the message was sent or, as the topic is configured (`message.timestamp.type`), appended to the log: in milliseconds of the
/// producer's or of the broker's clock. Zero and less say nothing.
fn sent_at(timestamp: Timestamp) -> Option<SystemTime> {
    let milliseconds = u64::try_from(timestamp.to_millis()?).ok().filter(|milliseconds| *milliseconds > 0)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_that_says_nothing_is_none() {
        let second = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1));
        for (timestamp, expected) in [
            (Timestamp::NotAvailable, None),
            (Timestamp::CreateTime(-1), None),
            (Timestamp::CreateTime(i64::MIN), None),
            (Timestamp::CreateTime(0), None),
            (Timestamp::CreateTime(1000), second),
            (Timestamp::LogAppendTime(1000), second),
        ] {
            assert_eq!(sent_at(timestamp), expected, "{timestamp:?}");
        }
    }
}
