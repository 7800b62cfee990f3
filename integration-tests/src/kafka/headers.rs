//! A record's key and headers: every kind of value, as ours and as others write them.

use rdkafka::Message as _;
use rdkafka::message::{Header, Headers as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::FutureRecord;

/// The key and the headers of a record, in their order; rdkafka's own headers cannot be compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyAndHeaders {
    key: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl KeyAndHeaders {
    /// Those that a message came with.
    pub(super) fn of(message: &OwnedMessage) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let headers = headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
        Self { key: message.key().map(<[u8]>::to_vec), headers }
    }

    /// The record to send; without headers it has no list of them, as most records.
    pub(super) fn record<'a>(&'a self, topic: &'a str, payload: &'a [u8]) -> FutureRecord<'a, Vec<u8>, [u8]> {
        let mut record = FutureRecord::to(topic).payload(payload);
        record.key = self.key.as_ref();
        for (key, value) in &self.headers {
            let headers = record.headers.take().unwrap_or_else(OwnedHeaders::new);
            record.headers = Some(headers.insert(Header { key, value: value.as_ref() }));
        }
        record
    }

    pub(super) fn with<'a>(mut self, added: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        self.headers.extend(added.into_iter().map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))));
        self
    }

    /// Written anew here, so that the adapter's own reader is not believed.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named
            .map(|(_, value)| {
                value.as_ref().map_or_else(|| "null".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
            })
            .collect()
    }

    pub(super) fn without(&self, names: &[&str]) -> Self {
        let kept = self.headers.iter().filter(|(key, _)| !names.contains(&key.as_str()));
        Self { key: self.key.clone(), headers: kept.cloned().collect() }
    }
}

/// Every kind of value, names that come twice and in two cases, and a key that is no text.
pub(super) fn rich() -> KeyAndHeaders {
    let native = KeyAndHeaders { key: Some(vec![0xff, 0, 42]), headers: Vec::new() };
    native.with([
        ("x-text", Some("a b+c=1 ü%".as_bytes())),
        ("x-empty", Some(b"")),
        ("x-null", None),
        ("x-not-utf8", Some(&[0xff, 0xfe])),
        ("x-bytes", Some(&[0, 159, 146, 150, 255])),
        ("x-twice", Some(b"first")),
        ("X-Case", Some(b"kept")),
        ("x-twice", Some(b"second")),
        ("x-case", Some(b"kept too")),
        ("x-ünïcode", Some(b"name")),
        ("", Some(b"without a name")),
    ])
}

pub(super) fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, KeyAndHeaders)> {
    let form = |name: fn(&str) -> String, value: fn(&str) -> String| {
        let added: Vec<_> = added.iter().map(|(n, v)| (name(n), value(v))).collect();
        KeyAndHeaders::default().with(added.iter().map(|(name, value)| (name.as_str(), Some(value.as_bytes()))))
    };
    let capitalised = |name: &str| {
        let mut letters = name.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    let twice = form(str::to_owned, str::to_owned);
    let once_more = added.iter().filter(|(name, _)| *name == "traceparent");
    let once_more = once_more.map(|(name, value)| (*name, Some(value.as_bytes())));
    vec![
        ("UTF-8, as every OpenTelemetry instrumentation", form(str::to_owned, str::to_owned)),
        ("capitalised names", form(capitalised, str::to_owned)),
        ("upper-case names", form(str::to_uppercase, str::to_owned)),
        ("spaces around values", form(str::to_owned, |value| format!("  {value} "))),
        ("one traceparent twice, as retries that append it", twice.with(once_more)),
    ]
}

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) fn malformed() -> Vec<(&'static str, KeyAndHeaders)> {
    let oversized = VALID.repeat(1000);
    let cases: [(_, Option<&[u8]>); 8] = [
        ("garbage", Some(b"garbage")),
        ("cut short", VALID.as_bytes().get(..54)),
        ("all zeros", Some(b"00-00000000000000000000000000000000-0000000000000000-01")),
        ("version ff", Some(b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
        ("oversized", Some(oversized.as_bytes())),
        ("not UTF-8", Some(&[0xff; 55])),
        ("a number of eight bytes", Some(&[0, 0, 0, 0, 0, 0, 0, 42])),
        ("null", None),
    ];
    cases.into_iter().map(|(case, value)| (case, KeyAndHeaders::default().with([("traceparent", value)]))).collect()
}

pub(super) fn conflicting() -> Vec<(&'static str, KeyAndHeaders)> {
    let other = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";
    let both = |names: [&str; 2]| {
        let [first, second] = names;
        KeyAndHeaders::default().with([(first, Some(VALID.as_bytes())), (second, Some(other.as_bytes()))])
    };
    vec![
        ("two of one name", both(["traceparent", "traceparent"])),
        ("two of names in different cases", both(["Traceparent", "traceparent"])),
    ]
}
