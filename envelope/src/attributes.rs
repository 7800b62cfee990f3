//! What a span says of its operation.

use crate::PreparedDestination;
use crate::fixed_attribute::Fixed;
use crate::operation::{Operation, OperationType};
use crate::semconv;
use crate::telemetry::Inner;
use opentelemetry::{Key, KeyValue};
use std::time::Duration;

impl Inner {
    /// The attributes of a span, in a vector with room for all that may follow: growing it costs more than filling it.
    pub(crate) fn attributes(
        &self,
        operation: &Operation<'_>,
        kind: OperationType,
        destination: &PreparedDestination,
        age: Option<Duration>,
    ) -> Vec<KeyValue> {
        let release = self.settings.semconv;
        let prepared = &destination.get().attributes;
        // Operation name and type, at most nine facts of the message, and `error.type` at the end.
        let mut attributes = Vec::with_capacity(prepared.len() + operation.facts.len() + 12);
        // These two have the same names in all releases.
        attributes.push(KeyValue::new(Key::from_static_str(semconv::OPERATION_NAME.in_1_45()), operation.name));
        attributes.push(KeyValue::new(Key::from_static_str(semconv::OPERATION_TYPE.in_1_45()), kind.as_str()));
        attributes.extend(prepared.iter().map(Fixed::attribute));
        if let Some(partition) = operation.partition {
            release.push(&mut attributes, &semconv::DESTINATION_PARTITION, semconv::partition_id(partition));
        }
        if let Some(id) = operation.message_id {
            release.push(&mut attributes, &semconv::MESSAGE_ID, id.to_owned());
        }
        if let Some(id) = operation.conversation_id {
            release.push(&mut attributes, &semconv::CONVERSATION_ID, id.to_owned());
        }
        if let Some(messages) = operation.batch {
            release.push(&mut attributes, &semconv::BATCH_MESSAGE_COUNT, count(messages));
        }
        if let Some(bytes) = operation.body_size.filter(|_| self.settings.message_sizes) {
            release.push(&mut attributes, &semconv::BODY_SIZE, count(bytes));
        }
        if let Some(key) = self.settings.shown_key(operation.message_key) {
            release.push(&mut attributes, &semconv::KAFKA_MESSAGE_KEY, key.to_owned());
        }
        if let Some(attempt) = operation.attempt {
            release.push(&mut attributes, &semconv::ATTEMPT, i64::from(attempt));
        }
        if let Some(waited) = age {
            release.push(&mut attributes, &semconv::WAIT_DURATION, waited.as_secs_f64());
        }
        for (name, fact) in operation.attributes.iter().flatten() {
            release.push(&mut attributes, name, *fact);
        }
        for (name, fact) in operation.facts {
            release.push(&mut attributes, name, *fact);
        }
        attributes
    }
}

/// OpenTelemetry's integers are signed.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
