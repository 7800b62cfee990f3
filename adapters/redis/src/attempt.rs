//! Which attempt at an entry a delivery is.

use crate::{Entry, HeaderExtractor};
use opentelemetry::propagation::Extractor;

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
}
