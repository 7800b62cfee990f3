//! Which attempt at a message a delivery is.

use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use opentelemetry::propagation::Extractor;
use std::time::{Duration, SystemTime};

use crate::HeaderExtractor;

/// The header in which [`TracedProducer::retry`](crate::TracedProducer::retry) counts: decimal, 2 for the first retry.
pub(crate) const ATTEMPT_HEADER: &str = "x-attempt";

/// The header in which a quorum queue counts the failed deliveries of a message.
pub(crate) const DELIVERY_COUNT_HEADER: &str = "x-delivery-count";

/// 1 for the first attempt, and one more than the largest of: the failed deliveries that a quorum queue counts (`x-delivery-count`); the
/// times that this queue has dead-lettered the message because it was rejected or failed too often (`x-death`; counting other queues'
/// entries would count a queue with a time limit, used for waiting, twice); one if the broker says `redelivered`. `x-attempt` is taken
/// as it is, if it is larger.
pub(crate) fn attempt(delivery: &Delivery, queue: &str) -> u32 {
    let redelivered = u32::from(delivery.redelivered);
    let Some(headers) = delivery.properties.headers() else { return 1 + redelivered };
    let table = headers.inner();
    // Hardly any message has one of them: one pass tells, where each look-up would cost as much.
    if !table.keys().any(|key| key.as_str().starts_with(['x', 'X'])) {
        return 1 + redelivered;
    }
    let counted = table.get(DELIVERY_COUNT_HEADER).and_then(number).unwrap_or(0);
    let dead = match table.get("x-death") {
        Some(AMQPValue::FieldArray(deaths)) => {
            deaths.as_slice().iter().fold(0_u64, |sum, death| sum.saturating_add(failures(death, queue)))
        }
        _ => 0,
    };
    let failed = u64::from(redelivered).max(counted).max(dead);
    let own = HeaderExtractor(headers).get(ATTEMPT_HEADER).and_then(|text| text.trim().parse().ok());
    let own = own.or_else(|| table.get(ATTEMPT_HEADER).and_then(number)).unwrap_or(0);
    u32::try_from(failed.saturating_add(1).max(own)).unwrap_or(u32::MAX)
}

fn failures(death: &AMQPValue, queue: &str) -> u64 {
    let AMQPValue::FieldTable(death) = death else { return 0 };
    let texts = HeaderExtractor(death);
    let failed = matches!(texts.get("reason"), Some("rejected" | "delivery_limit"));
    let count = death.inner().get("count").and_then(number);
    count.filter(|_| failed && texts.get("queue") == Some(queue)).unwrap_or(0)
}

/// When the message reached the broker: the header of RabbitMQ's message interceptor. AMQP's own timestamp has whole seconds of the
/// publisher's clock, which say nothing about a queue that is emptied within milliseconds.
pub(crate) fn sent_at(headers: &FieldTable) -> Option<SystemTime> {
    let milliseconds = headers.inner().get("timestamp_in_ms").and_then(number)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// A number of any of AMQP's types; negative ones are none.
fn number(value: &AMQPValue) -> Option<u64> {
    match value {
        AMQPValue::ShortShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongLongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortShortUInt(number) => Some(u64::from(*number)),
        AMQPValue::ShortUInt(number) => Some(u64::from(*number)),
        AMQPValue::LongUInt(number) => Some(u64::from(*number)),
        AMQPValue::Timestamp(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::BasicProperties;
    use lapin::types::FieldArray;

    fn delivery(redelivered: bool, headers: &[(&str, AMQPValue)]) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "orders".into(), redelivered, Vec::new());
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        delivery.properties = BasicProperties::default().with_headers(table);
        delivery
    }

    fn deaths(entries: &[(&str, &str, i64)]) -> AMQPValue {
        let entries = entries.iter().map(|(queue, reason, count)| {
            let mut table = FieldTable::default();
            table.insert("queue".into(), AMQPValue::LongString((*queue).into()));
            table.insert("reason".into(), AMQPValue::LongString((*reason).into()));
            table.insert("count".into(), AMQPValue::LongLongInt(*count));
            AMQPValue::FieldTable(table)
        });
        AMQPValue::FieldArray(FieldArray::from(entries.collect::<Vec<_>>()))
    }

    #[test]
    fn every_source_of_the_attempt_number_is_heard() {
        let text = |text: &str| AMQPValue::LongString(text.into());
        for (case, redelivered, headers, expected) in [
            ("first", false, vec![], 1),
            ("redelivered", true, vec![], 2),
            ("quorum queue", true, vec![("x-delivery-count", AMQPValue::LongLongInt(3))], 4),
            ("negative count", false, vec![("x-delivery-count", AMQPValue::LongLongInt(-3))], 1),
            ("rejected here twice", false, vec![("x-death", deaths(&[("orders", "rejected", 2)]))], 3),
            (
                "limit",
                false,
                vec![("x-death", deaths(&[("orders", "delivery_limit", 1), ("orders", "rejected", 1)]))],
                3,
            ),
            (
                "waited in another queue",
                false,
                vec![("x-death", deaths(&[("orders.wait", "expired", 1), ("orders", "rejected", 1)]))],
                2,
            ),
            ("expired here", false, vec![("x-death", deaths(&[("orders", "expired", 5)]))], 1),
            ("own header", false, vec![("x-attempt", text("4"))], 4),
            ("own header as a number", false, vec![("x-attempt", AMQPValue::LongInt(5))], 5),
            ("nonsense", false, vec![("x-attempt", text("many")), ("x-death", text("often"))], 1),
            (
                "counts that overflow",
                false,
                vec![(
                    "x-death",
                    deaths(&[
                        ("orders", "rejected", i64::MAX),
                        ("orders", "rejected", i64::MAX),
                        ("orders", "rejected", 9),
                    ]),
                )],
                u32::MAX,
            ),
            ("too large", false, vec![("x-delivery-count", AMQPValue::LongLongInt(i64::MAX))], u32::MAX),
        ] {
            assert_eq!(attempt(&delivery(redelivered, &headers), "orders"), expected, "{case}");
        }
    }
}
