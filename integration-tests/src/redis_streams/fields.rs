//! An entry's fields: every kind of value, as ours and as others write them.

use redis::{Value, from_redis_value_ref};
use traced_redis::Entry;

/// The field of the payload, which is the first one.
const PAYLOAD: &[u8] = b"payload";

/// The fields of an entry besides its payload, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OtherFields(Vec<(Vec<u8>, Vec<u8>)>);

impl OtherFields {
    /// The payload that an entry came with, and its other fields.
    pub(super) fn of(entry: &Entry) -> (Vec<u8>, Self) {
        let bytes = |value: &Value| from_redis_value_ref::<Vec<u8>>(value).unwrap_or_default();
        let all = entry.fields().iter().map(|(name, value)| (bytes(name), bytes(value)));
        let (payload, others): (Vec<_>, Vec<_>) = all.partition(|(name, _)| name == PAYLOAD);
        (payload.into_iter().next().unwrap_or_default().1, Self(others))
    }

    /// The entry to add.
    pub(super) fn items(&self, payload: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        [(PAYLOAD.to_vec(), payload.to_vec())].into_iter().chain(self.0.iter().cloned()).collect()
    }

    pub(super) fn with(mut self, added: &[(&str, &[u8])]) -> Self {
        self.0.extend(added.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())));
        self
    }

    /// Written anew here, so that the adapter's own reader is not believed.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    pub(super) fn without(&self, names: &[&str]) -> Self {
        let named = |field: &[u8]| names.iter().any(|name| name.as_bytes() == field);
        Self(self.0.iter().filter(|(field, _)| !named(field)).cloned().collect())
    }
}

/// Every kind of value, names that come twice and in two cases, and one that is no text.
pub(super) fn rich() -> OtherFields {
    let mut fields = OtherFields::default().with(&[
        ("x-text", "a b+c=1 ü%".as_bytes()),
        ("x-empty", b""),
        ("x-bytes", &[0, 159, 146, 150, 255]),
        ("x-twice", b"first"),
        ("X-Case", b"kept"),
        ("x-twice", b"second"),
        ("x-case", b"kept too"),
        ("x-ünïcode", b"name"),
        ("", b"without a name"),
    ]);
    fields.0.push((vec![0xff, 0xfe], b"no text".to_vec()));
    fields
}

pub(super) fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, OtherFields)> {
    let form = |name: fn(&str) -> String, value: fn(&str) -> String| {
        let added = added.iter().map(|(n, v)| (name(n).into_bytes(), value(v).into_bytes()));
        OtherFields(added.collect())
    };
    let twice = added.iter().filter(|(name, _)| *name == "traceparent");
    let twice: Vec<_> = added.iter().chain(twice).map(|(name, value)| (*name, value.as_bytes())).collect();
    vec![
        ("fields of their own, as any client writes them", form(str::to_owned, str::to_owned)),
        ("upper-case names", form(str::to_uppercase, str::to_owned)),
        ("spaces around values", form(str::to_owned, |value| format!("  {value} "))),
        ("one traceparent twice, as retries that append it", OtherFields::default().with(&twice)),
    ]
}

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) fn malformed() -> Vec<(&'static str, OtherFields)> {
    let oversized = VALID.repeat(1000);
    let cases: [(_, &[u8]); 6] = [
        ("garbage", b"garbage"),
        ("cut short", VALID.as_bytes().get(..54).unwrap_or_default()),
        ("all zeros", b"00-00000000000000000000000000000000-0000000000000000-01"),
        ("version ff", b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("oversized", oversized.as_bytes()),
        ("not UTF-8", &[0xff; 55]),
    ];
    cases.into_iter().map(|(case, value)| (case, OtherFields::default().with(&[("traceparent", value)]))).collect()
}

pub(super) fn conflicting() -> Vec<(&'static str, OtherFields)> {
    let other = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";
    let both = |[first, second]: [&str; 2]| {
        OtherFields::default().with(&[(first, VALID.as_bytes()), (second, other.as_bytes())])
    };
    vec![
        ("two of one name", both(["traceparent", "traceparent"])),
        ("two of names in different cases", both(["Traceparent", "traceparent"])),
    ]
}
