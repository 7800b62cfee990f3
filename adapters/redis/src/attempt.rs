//! Which attempt at an entry a delivery is.

use crate::{Entry, HeaderExtractor};
use opentelemetry::propagation::Extractor;

/// The field in which [`TracedProducer::retry`](crate::TracedProducer::retry) counts: decimal, 2 for the first retry.
pub(crate) const ATTEMPT_FIELD: &str = "x-attempt";

/// 1 for the first attempt; `None` where nothing tells. A copy that was added for another attempt begins with its number, and each
/// further delivery of it is one more.
pub(crate) fn attempt(entry: &Entry) -> Option<u32> {
    let deliveries = entry.deliveries().map(|deliveries| deliveries.max(1));
    match (copied(entry), deliveries) {
        (Some(copied), Some(deliveries)) => Some(copied.saturating_add(deliveries - 1)),
        // Delivered before, nobody knows how often.
        (_, None) if entry.is_redelivered() => None,
        (copied, deliveries) => copied.or(deliveries),
    }
}

/// The same for those who decide by it: where nothing tells, the lowest that it can be. An entry that was claimed is not at its first
/// attempt; taken for one, it would be tried for ever.
pub(crate) fn least_attempt(entry: &Entry) -> u32 {
    attempt(entry).unwrap_or_else(|| copied(entry).unwrap_or(1).saturating_add(entry.is_redelivered().into()))
}

fn copied(entry: &Entry) -> Option<u32> {
    let counted = HeaderExtractor(entry).get(ATTEMPT_FIELD).and_then(|text| text.trim().parse().ok());
    counted.filter(|attempt| *attempt > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::Value;
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

    /// Field, deliveries, attempt, the least that it is.
    #[test]
    fn what_was_delivered_before_is_never_at_its_first_attempt() {
        for (field, deliveries, expected, least) in [
            (None, None, None, 2),
            (Some("3"), None, None, 4),
            (None, Some(3), Some(3), 3),
            // Claimed by its id alone (`JUSTID`), it counts no further delivery.
            (None, Some(1), Some(1), 1),
        ] {
            let mut entry = entry(field, deliveries);
            entry.delivery.is_again = true;
            assert_eq!((attempt(&entry), least_attempt(&entry)), (expected, least), "{field:?}, {deliveries:?}");
        }
        assert_eq!(least_attempt(&entry(None, None)), 1);
    }
}
