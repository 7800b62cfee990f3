//! AMQP's header tables: every kind of value, as ours and as others write them.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, ShortString};
use std::collections::BTreeMap;

pub(super) fn table(entries: impl IntoIterator<Item = (&'static str, AMQPValue)>) -> FieldTable {
    entries.into_iter().map(|(name, value)| (name.into(), value)).collect::<BTreeMap<ShortString, _>>().into()
}

pub(super) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn bytes(bytes: &[u8]) -> AMQPValue {
    AMQPValue::ByteArray(bytes.to_vec().into())
}

pub(super) fn with<'a>(
    native: BasicProperties,
    added: impl IntoIterator<Item = (&'a str, AMQPValue)>,
) -> BasicProperties {
    let mut headers = native.headers().clone().unwrap_or_default();
    for (name, value) in added {
        headers.insert(name.into(), value);
    }
    native.with_headers(headers)
}

/// Every type that RabbitMQ passes on, and every property that it does not act upon.
pub(super) fn rich() -> BasicProperties {
    let inner = table([("deep", text("inside")), ("null", AMQPValue::Void), ("bytes", bytes(&[0, 1]))]);
    let list = FieldArray::from(vec![AMQPValue::LongInt(1), text("two"), AMQPValue::FieldTable(inner.clone())]);
    let headers = table([
        ("x-text", text("a b+c=1 ü%")),
        ("x-empty", text("")),
        ("x-not-utf8", AMQPValue::LongString(vec![0xff, 0xfe].into())),
        ("x-bytes", bytes(&[0, 159, 146, 150, 255])),
        ("x-no-bytes", bytes(&[])),
        ("x-true", AMQPValue::Boolean(true)),
        ("x-i8", AMQPValue::ShortShortInt(-8)),
        ("x-i16", AMQPValue::ShortInt(-1600)),
        ("x-i32", AMQPValue::LongInt(i32::MIN)),
        ("x-i64", AMQPValue::LongLongInt(i64::MIN)),
        ("x-f32", AMQPValue::Float(0.25)),
        ("x-f64", AMQPValue::Double(-1e300)),
        ("x-decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 990 })),
        ("x-time", AMQPValue::Timestamp(1_700_000_000)),
        ("x-null", AMQPValue::Void),
        ("x-table", AMQPValue::FieldTable(inner)),
        ("x-list", AMQPValue::FieldArray(list)),
        ("X-Case", text("kept")),
    ]);
    BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_content_encoding("identity".into())
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("conversation 7".into())
        .with_reply_to("replies".into())
        .with_message_id("message 42".into())
        .with_timestamp(1_700_000_000)
        .with_type("order.created".into())
        .with_app_id("shop".into())
}

pub(super) fn foreign(added: &[(&str, &str)]) -> Vec<(&'static str, BasicProperties)> {
    let plain = BasicProperties::default;
    let capitalised = |name: &str| {
        let mut letters = name.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    let as_bytes = |value: &str| bytes(value.as_bytes());
    vec![
        (
            "long strings, as every OpenTelemetry instrumentation",
            with(plain(), added.iter().map(|(n, v)| (*n, text(v)))),
        ),
        ("byte arrays", with(plain(), added.iter().map(|(n, v)| (*n, as_bytes(v))))),
        ("capitalised names", {
            let named: Vec<_> = added.iter().map(|(name, value)| (capitalised(name), text(value))).collect();
            with(plain(), named.iter().map(|(name, value)| (name.as_str(), value.clone())))
        }),
        ("upper-case names of byte arrays", {
            let named: Vec<_> = added.iter().map(|(name, value)| (name.to_uppercase(), as_bytes(value))).collect();
            with(plain(), named.iter().map(|(name, value)| (name.as_str(), value.clone())))
        }),
    ]
}

pub(super) fn malformed() -> Vec<(&'static str, BasicProperties)> {
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    [
        ("garbage", text("garbage")),
        ("cut short", text(valid.get(..54).unwrap_or_default())),
        ("all zeros", text("00-00000000000000000000000000000000-0000000000000000-01")),
        ("version ff", text("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
        ("oversized", text(&valid.repeat(1000))),
        ("not UTF-8", AMQPValue::LongString(vec![0xff; 55].into())),
        ("bytes that are not UTF-8", bytes(&[0xff; 55])),
        ("a number", AMQPValue::LongLongInt(42)),
        ("null", AMQPValue::Void),
        ("a list of texts", AMQPValue::FieldArray(FieldArray::from(vec![text(valid)]))),
        ("a table", AMQPValue::FieldTable(table([("traceparent", text(valid))]))),
    ]
    .into_iter()
    .map(|(case, value)| (case, with(BasicProperties::default(), [("traceparent", value)])))
    .collect()
}

/// Written anew here, so that the adapter's own reader is not believed.
pub(super) fn values(native: &BasicProperties, name: &str) -> Vec<String> {
    let entries = native.headers().iter().flat_map(|headers| headers.inner());
    let named = entries.filter(|(key, _)| key.as_str().eq_ignore_ascii_case(name));
    named
        .map(|(_, value)| match value {
            AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

pub(super) fn without(native: &BasicProperties, names: &[&str]) -> BasicProperties {
    let headers = native.headers().clone().unwrap_or_default();
    let kept = headers.inner().iter().filter(|(key, _)| !names.contains(&key.as_str()));
    let kept: BTreeMap<_, _> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    native.clone().with_headers(kept.into())
}
