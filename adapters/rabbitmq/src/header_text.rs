//! Headers that are no text, as text: for those that are captured.

use crate::headers::text;
use lapin::types::{AMQPValue, FieldTable};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Array, KeyValue, Value};
use std::fmt::Write as _;
use traced_envelope::{MessageSpan, Telemetry};

/// Strangers decide how deep and how long a value is.
const DEEPEST: usize = 4;
const LONGEST: usize = 16 * 1024;
const MOST: usize = 64;

/// Adds the headers that [`Settings::capture_headers`](traced_envelope::Settings::capture_headers) names and that are no text, such as
/// `x-death`, a list of tables.
#[cold]
pub(crate) fn capture(telemetry: &Telemetry, headers: &FieldTable, span: &MessageSpan) {
    if span.span_context().is_none() {
        return;
    }
    let others = headers.inner().iter().filter(|(_, value)| text(value).is_none());
    let attributes = others.filter_map(|(name, value)| {
        let key = telemetry.captured_header(name.as_str())?;
        let text = written(value)?.into();
        Some(KeyValue::new(key, Value::Array(Array::String(vec![text]))))
    });
    span.context().span().set_attributes(attributes.take(MOST));
}

/// `None` where there is nothing to write, or too much.
fn written(value: &AMQPValue) -> Option<String> {
    let mut text = String::new();
    write_into(&mut text, value, DEEPEST)?;
    Some(text)
}

fn write_into(out: &mut String, value: &AMQPValue, depth: usize) -> Option<()> {
    match value {
        AMQPValue::Boolean(value) => write!(out, "{value}"),
        AMQPValue::ShortShortInt(number) => write!(out, "{number}"),
        AMQPValue::ShortShortUInt(number) => write!(out, "{number}"),
        AMQPValue::ShortInt(number) => write!(out, "{number}"),
        AMQPValue::ShortUInt(number) => write!(out, "{number}"),
        AMQPValue::LongInt(number) => write!(out, "{number}"),
        AMQPValue::LongUInt(number) => write!(out, "{number}"),
        AMQPValue::LongLongInt(number) => write!(out, "{number}"),
        AMQPValue::Float(number) => write!(out, "{number}"),
        AMQPValue::Double(number) => write!(out, "{number}"),
        AMQPValue::DecimalValue(decimal) => write!(out, "{}e-{}", decimal.value, decimal.scale),
        AMQPValue::Timestamp(seconds) => write!(out, "{seconds}"),
        AMQPValue::LongString(_) | AMQPValue::ShortString(_) | AMQPValue::ByteArray(_) => out.write_str(text(value)?),
        AMQPValue::FieldArray(values) => {
            let depth = depth.checked_sub(1)?;
            out.push('[');
            for (index, value) in values.as_slice().iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_into(out, value, depth)?;
            }
            out.write_char(']')
        }
        AMQPValue::FieldTable(table) => {
            let depth = depth.checked_sub(1)?;
            out.push('{');
            for (index, (name, value)) in table.inner().iter().enumerate() {
                write!(out, "{}{name}: ", if index == 0 { "" } else { ", " }).ok()?;
                write_into(out, value, depth)?;
            }
            out.write_char('}')
        }
        AMQPValue::Void => return None,
    }
    .ok()?;
    (out.len() <= LONGEST).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::types::FieldArray;

    #[test]
    fn a_value_of_any_type_is_written_in_one_line() {
        let mut death = FieldTable::default();
        death.insert("count".into(), AMQPValue::LongLongInt(2));
        death.insert("queue".into(), AMQPValue::LongString("orders".into()));
        let keys: FieldArray = vec![AMQPValue::LongString("created".into())].into();
        death.insert("routing-keys".into(), AMQPValue::FieldArray(keys));
        let deaths: FieldArray = vec![AMQPValue::FieldTable(death.clone()), AMQPValue::FieldTable(death)].into();
        let one = "{count: 2, queue: orders, routing-keys: [created]}";
        for (value, expected) in [
            (AMQPValue::FieldArray(deaths), Some(format!("[{one}, {one}]"))),
            (AMQPValue::LongInt(-3), Some("-3".to_owned())),
            (AMQPValue::Boolean(true), Some("true".to_owned())),
            (AMQPValue::Timestamp(1_700_000_000), Some("1700000000".to_owned())),
            (AMQPValue::Void, None),
            (AMQPValue::ByteArray(b"\xff".to_vec().into()), None),
        ] {
            assert_eq!(written(&value), expected);
        }
    }

    #[test]
    fn neither_a_deep_value_nor_a_long_one_is_written() {
        let mut deep = AMQPValue::LongInt(1);
        for _ in 0..100 {
            deep = AMQPValue::FieldArray(vec![deep].into());
        }
        assert_eq!(written(&deep), None);
        let long: FieldArray = vec![AMQPValue::LongLongInt(i64::MAX); 1000].into();
        assert_eq!(written(&AMQPValue::FieldArray(long)), None);
    }
}
