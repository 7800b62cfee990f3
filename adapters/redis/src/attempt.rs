//! Which attempt at an entry a delivery is.

use crate::{Entry, HeaderExtractor};
use opentelemetry::propagation::Extractor;
use redis::{Cmd, Pipeline, Value};

/// The field in which [`TracedProducer::retry`](crate::TracedProducer::retry) counts: decimal, 2 for the first retry.
pub(crate) const ATTEMPT_FIELD: &str = "x-attempt";

/// 1 for the first attempt; `None` where nothing tells. A copy that was added for another attempt begins with its number, and each
/// further delivery of it is one more.
pub(crate) fn attempt(entry: &Entry) -> Option<u32> {
    let deliveries = entry.deliveries().map(|deliveries| deliveries.max(1));
    let copied = HeaderExtractor(entry).get(ATTEMPT_FIELD).and_then(|text| text.trim().parse::<u32>().ok());
    match (copied.filter(|attempt| *attempt > 0), deliveries) {
        (Some(copied), Some(deliveries)) => Some(copied.saturating_add(deliveries - 1)),
        (copied, deliveries) => copied.or(deliveries),
    }
}

/// Asks how often each of the entries of one stream was delivered. One by one, since between two of them others may be pending; together
/// they are one round trip.
pub(crate) fn pending(entries: &[Entry]) -> Option<Pipeline> {
    let mut pipeline = Pipeline::with_capacity(entries.len());
    for entry in entries {
        pipeline.add_command(Cmd::xpending_count(entry.stream(), entry.group()?, entry.id(), entry.id(), 1));
    }
    (!pipeline.is_empty()).then_some(pipeline)
}

/// Notes the answers. What is pending no more is in none of them.
pub(crate) fn note(entries: &mut [Entry], answers: &[Value]) {
    for (entry, answer) in entries.iter_mut().zip(answers) {
        entry.delivery.deliveries = count(answer);
    }
}

/// A list of one: id, consumer, milliseconds since the last delivery, deliveries.
fn count(answer: &Value) -> Option<u32> {
    let [Value::Array(entry)] = answer.as_sequence()? else { return None };
    match entry.as_slice() {
        [_, _, _, Value::Int(deliveries)] => u32::try_from(*deliveries).ok(),
        _ => None,
    }
}

/// The entries whose deliveries are to be asked for, stream by stream: those of a group that were not delivered for the first time just
/// now.
pub(crate) fn unknown(entries: &mut [Entry]) -> impl Iterator<Item = &mut [Entry]> {
    let uncounted = |entry: &Entry| entry.group().is_some() && entry.deliveries().is_none();
    let streams = entries.chunk_by_mut(|one, other| one.stream() == other.stream());
    streams.filter(move |of_stream| of_stream.iter().all(uncounted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::streams::StreamId;

    fn entry(field: Option<&str>, deliveries: Option<u32>) -> Entry {
        let mut native = StreamId::default();
        if let Some(attempt) = field {
            native.map.insert(ATTEMPT_FIELD.to_owned(), Value::BulkString(attempt.into()));
        }
        let mut entry = Entry::new("orders", native);
        entry.delivery.deliveries = deliveries;
        entry
    }

    /// Field, deliveries, attempt.
    #[test]
    fn a_copy_goes_on_counting_where_the_original_stopped() {
        for (field, deliveries, expected) in [
            (None, None, None),
            (None, Some(1), Some(1)),
            (None, Some(3), Some(3)),
            (None, Some(0), Some(1)),
            (Some("2"), None, Some(2)),
            (Some("2"), Some(1), Some(2)),
            (Some(" 2 "), Some(3), Some(4)),
            (Some("0"), Some(2), Some(2)),
            (Some("many"), Some(2), Some(2)),
            (Some("99999999999"), None, None),
            (Some("4294967295"), Some(u32::MAX), Some(u32::MAX)),
        ] {
            assert_eq!(attempt(&entry(field, deliveries)), expected, "{field:?}, {deliveries:?}");
        }
    }

    #[test]
    fn an_answer_of_another_shape_leaves_the_count_unknown() {
        let int = Value::Int;
        let one = |parts: Vec<Value>| Value::Array(vec![Value::Array(parts)]);
        for (answer, expected) in [
            (one(vec![Value::Nil, Value::Nil, int(5), int(2)]), Some(2)),
            (one(vec![Value::Nil, Value::Nil, int(5), int(-1)]), None),
            (one(vec![int(5), int(2)]), None),
            (Value::Array(Vec::new()), None),
            (Value::Nil, None),
            (Value::Okay, None),
        ] {
            let mut entries = [entry(None, None)];
            note(&mut entries, std::slice::from_ref(&answer));
            assert_eq!(entries[0].deliveries(), expected, "{answer:?}");
        }
    }
}
