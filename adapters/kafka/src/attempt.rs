//! Which attempt at a message a delivery is.

use crate::native_headers;
use rdkafka::message::BorrowedHeaders;
use std::sync::Arc;

/// The header in which [`TracedProducer::retry`](crate::TracedProducer::retry) counts: decimal, 2 for the first retry.
pub(crate) const ATTEMPT_HEADER: &str = "x-attempt";

/// The headers of other frameworks in which attempts are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttemptHeaders(Arc<[Box<str>]>);

impl AttemptHeaders {
    pub(crate) fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(|name| name.into().into_boxed_str()).collect())
    }

    /// 1 for the first attempt; `None` where no header tells, since Kafka counts no deliveries. The largest number counts.
    pub(crate) fn attempt(&self, headers: Option<&BorrowedHeaders>) -> Option<u32> {
        let headers = headers?;
        let all = (0..).map_while(|index| native_headers::get(headers, index));
        let counted = all.filter(|(name, _)| self.contains(name.to_bytes()));
        counted.filter_map(|(_, value)| number(value?)).filter(|attempt| *attempt > 0).max()
    }

    fn contains(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(ATTEMPT_HEADER.as_bytes()) || self.0.iter().any(|known| known.as_bytes() == name)
    }
}

/// Decimal text, or four bytes of a big-endian integer, as Spring Kafka writes them: the first is zero, which no text begins with, unless
/// there were more than 16 million attempts.
fn number(value: &[u8]) -> Option<u32> {
    match value {
        [0, ..] => value.try_into().ok().map(u32::from_be_bytes),
        text => std::str::from_utf8(text).ok()?.trim().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::{Header, OwnedHeaders};

    #[test]
    fn own_and_named_headers_are_heard_in_either_form() {
        let named = AttemptHeaders::new(["retry_topic-attempts"]);
        for (case, headers, expected) in [
            ("none", &[][..], None),
            ("own", &[("x-attempt", Some(&b"3"[..]))], Some(3)),
            ("own in another case", &[("X-Attempt", Some(b" 3 "))], Some(3)),
            ("four digits are text", &[("x-attempt", Some(b"1234"))], Some(1234)),
            ("Spring's integer", &[("retry_topic-attempts", Some(&[0, 0, 0, 2]))], Some(2)),
            ("the largest", &[("x-attempt", Some(b"2")), ("retry_topic-attempts", Some(&[0, 0, 0, 5]))], Some(5)),
            ("not asked for", &[("attempts", Some(b"7"))], None),
            ("null", &[("x-attempt", None)], None),
            ("nonsense", &[("x-attempt", Some(b"many"))], None),
            ("negative integer", &[("retry_topic-attempts", Some(&[0xff, 0xff, 0xff, 0xff]))], None),
            ("nonsense of three bytes", &[("x-attempt", Some(&[0, 0, 2]))], None),
            ("zero", &[("x-attempt", Some(b"0"))], None),
            ("too large", &[("x-attempt", Some(b"99999999999"))], None),
            ("empty", &[("x-attempt", Some(b""))], None),
        ] {
            let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value): &(&str, Option<&[u8]>)| {
                all.insert(Header { key, value: *value })
            });
            assert_eq!(named.attempt(Some(headers.as_borrowed())), expected, "{case}");
        }
        assert_eq!(named.attempt(None), None);
    }
}
