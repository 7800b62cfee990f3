//! Entries out of the server's replies, which come in many shapes: RESP2 or RESP3, with deleted ones, with counts, or with ids alone.
//!
//! redis' own reading is not used: see [`Entry`].

use crate::Entry;
use crate::entry::Delivery;
use crate::headers::bytes;
use redis::{ErrorKind, RedisError, RedisResult, Value};
use std::sync::Arc;

/// The reply of `XREAD` and `XREADGROUP`; `None` says that there was nothing, and that the time is up where the read waits.
pub(crate) fn of_read(reply: Value, delivery: impl Fn(&[u8]) -> Delivery) -> RedisResult<Option<Vec<Entry>>> {
    let streams = match plain(reply) {
        Value::Nil => return Ok(None),
        Value::Map(streams) => streams,
        Value::Array(streams) => streams.into_iter().map(pair).collect::<RedisResult<_>>()?,
        _ => return Err(unexpected()),
    };
    let mut entries = Vec::new();
    for (stream, of_stream) in streams {
        let stream: Arc<[u8]> = bytes(&stream).ok_or_else(unexpected)?.into();
        let delivery = delivery(&stream);
        entries.extend(of_list(of_stream, &stream, &delivery)?.entries);
    }
    Ok(Some(entries))
}

/// The entries of one stream.
#[derive(Default)]
pub(crate) struct List {
    pub(crate) entries: Vec<Entry>,
    /// Whether there were some that are gone: Redis before 7 tells that this way.
    pub(crate) had_nil: bool,
}

/// A list of entries, or of ids; as `XCLAIM` replies it.
pub(crate) fn of_list(list: Value, stream: &Arc<[u8]>, delivery: &Delivery) -> RedisResult<List> {
    let list = match plain(list) {
        Value::Array(list) => list,
        Value::Nil => Vec::new(),
        _ => return Err(unexpected()),
    };
    let mut read = List { entries: Vec::with_capacity(list.len()), had_nil: false };
    for entry in list {
        match of_entry(entry, stream, delivery)? {
            Some(entry) => read.entries.push(entry),
            None => read.had_nil = true,
        }
    }
    Ok(read)
}

fn of_entry(entry: Value, stream: &Arc<[u8]>, delivery: &Delivery) -> RedisResult<Option<Entry>> {
    let mut delivery = delivery.clone();
    let (id, fields) = match plain(entry) {
        Value::Nil => return Ok(None),
        Value::Array(parts) => {
            let mut parts = parts.into_iter();
            let (id, fields) = (parts.next().ok_or_else(unexpected)?, parts.next().unwrap_or_default());
            // With `CLAIM`: since when it is pending, and how often it was delivered before.
            if let (Some(_), Some(Value::Int(before))) = (parts.next(), parts.next()) {
                delivery.deliveries = Some(u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1));
                // What was pending before stays so, whatever `NOACK` says of new entries.
                delivery.is_pending |= before > 0;
            }
            (id, fields_of(fields)?)
        }
        id => (id, Vec::new()),
    };
    let id = String::from_utf8(bytes(&id).ok_or_else(unexpected)?.to_vec()).map_err(|_| unexpected())?;
    Ok(Some(Entry::read(Arc::clone(stream), id, fields, delivery)))
}

/// None for an entry that was deleted while it was pending. A name without a value has nil.
fn fields_of(fields: Value) -> RedisResult<Vec<(Value, Value)>> {
    match plain(fields) {
        Value::Nil => Ok(Vec::new()),
        Value::Map(fields) => Ok(fields),
        Value::Array(list) => {
            let mut fields = Vec::with_capacity(list.len().div_ceil(2));
            let mut list = list.into_iter();
            while let Some(name) = list.next() {
                fields.push((name, list.next().unwrap_or_default()));
            }
            Ok(fields)
        }
        _ => Err(unexpected()),
    }
}

/// The reply of `XAUTOCLAIM`: where the next one begins, what was claimed, what is gone.
pub(crate) fn of_autoclaim(
    reply: Value,
    stream: &Arc<[u8]>,
    delivery: &Delivery,
) -> RedisResult<(String, List, Vec<String>)> {
    let Value::Array(parts) = plain(reply) else { return Err(unexpected()) };
    let mut parts = parts.into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let next = redis::from_redis_value(part())?;
    let claimed = of_list(part(), stream, delivery)?;
    let deleted: Option<Vec<String>> = redis::from_redis_value(part())?;
    Ok((next, claimed, deleted.unwrap_or_default()))
}

fn pair(value: Value) -> RedisResult<(Value, Value)> {
    let Value::Array(pair) = plain(value) else { return Err(unexpected()) };
    <[Value; 2]>::try_from(pair).map(Into::into).map_err(|_| unexpected())
}

/// RESP3 can put attributes around everything.
fn plain(value: Value) -> Value {
    match value {
        Value::Attribute { data, .. } => plain(*data),
        value => value,
    }
}

/// It says nothing of the reply: that is the application's data.
fn unexpected() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "the reply has no entries of a stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn array<const N: usize>(values: [Value; N]) -> Value {
        Value::Array(values.into())
    }

    /// Stream, id, number of fields, deliveries.
    type Shape = (String, String, usize, Option<u32>);

    fn shape(reply: Value) -> Option<Vec<Shape>> {
        let entries = of_read(reply, |_| Delivery::default()).unwrap()?;
        let shape = |entry: &Entry| {
            let stream = String::from_utf8_lossy(entry.stream()).into_owned();
            (stream, entry.id().to_owned(), entry.fields().len(), entry.deliveries())
        };
        Some(entries.iter().map(shape).collect())
    }

    #[test]
    fn replies_of_every_protocol_and_release_are_read() {
        let fields = || array([text("a"), text("1"), text("a"), text("2")]);
        let entry = || array([text("1-0"), fields()]);
        let one = |fields: usize, deliveries| Some(vec![("s".to_owned(), "1-0".to_owned(), fields, deliveries)]);
        let of_stream = |entries| array([array([text("s"), entries])]);
        for (case, reply, expected) in [
            ("nothing in time", Value::Nil, None),
            ("nothing at all", array([]), Some(Vec::new())),
            ("RESP2", of_stream(array([entry()])), one(2, None)),
            ("RESP3", Value::Map(vec![(text("s"), array([entry()]))]), one(2, None)),
            ("nothing pending", of_stream(array([])), Some(Vec::new())),
            (
                "fields as a map",
                of_stream(array([array([text("1-0"), Value::Map(vec![(text("a"), text("1"))])])])),
                one(1, None),
            ),
            ("deleted", of_stream(array([array([text("1-0"), Value::Nil])])), one(0, None)),
            ("deleted, as Redis 6 tells it", of_stream(array([Value::Nil, entry()])), one(2, None)),
            ("a name without a value", of_stream(array([array([text("1-0"), array([text("a")])])])), one(1, None)),
            ("ids alone", of_stream(array([text("1-0")])), one(0, None)),
            (
                "claimed, delivered twice before",
                of_stream(array([array([text("1-0"), fields(), Value::Int(60_000), Value::Int(2)])])),
                one(2, Some(3)),
            ),
            (
                "new, in a read that claims",
                of_stream(array([array([text("1-0"), fields(), Value::Int(0), Value::Int(0)])])),
                one(2, Some(1)),
            ),
            (
                "with attributes around",
                Value::Attribute { data: Box::new(of_stream(array([entry()]))), attributes: Vec::new() },
                one(2, None),
            ),
        ] {
            assert_eq!(shape(reply), expected, "{case}");
        }
    }

    #[test]
    fn a_reply_of_another_shape_is_an_error_that_says_nothing_of_its_content() {
        let secret = || text("secret");
        for reply in [
            Value::Okay,
            Value::Int(1),
            array([secret()]),
            array([array([secret()])]),
            array([array([secret(), secret()])]),
            array([array([secret(), array([array([])])])]),
            array([array([secret(), array([array([Value::Int(1), secret()])])])]),
            array([array([secret(), array([array([secret(), Value::Int(1)])])])]),
            array([array([secret(), array([array([Value::BulkString(vec![0xff]), array([])])])])]),
            Value::Map(vec![(Value::Nil, array([]))]),
        ] {
            let error = of_read(reply.clone(), |_| Delivery::default()).expect_err("another shape");
            assert!(!error.to_string().contains("secret"), "{reply:?}");
        }
    }

    #[test]
    fn what_is_claimed_comes_with_what_is_gone() {
        let (stream, delivery) = (Arc::from(&b"s"[..]), Delivery::default());
        let entry = || array([text("2-0"), array([text("a"), text("1")])]);
        for (case, reply, claimed, nil, deleted) in [
            ("Redis 7", array([text("3-0"), array([entry()]), array([text("1-0")])]), 1, false, vec!["1-0"]),
            ("Redis 6", array([text("3-0"), array([Value::Nil, entry()])]), 1, true, vec![]),
            ("ids alone", array([text("3-0"), array([text("2-0"), Value::Nil]), array([])]), 1, true, vec![]),
            ("none", array([text("3-0"), array([]), array([])]), 0, false, vec![]),
        ] {
            let (next, list, gone) = of_autoclaim(reply, &stream, &delivery).unwrap();
            assert_eq!((next.as_str(), list.entries.len(), list.had_nil), ("3-0", claimed, nil), "{case}");
            assert_eq!(gone, deleted, "{case}");
        }
        assert!(of_autoclaim(Value::Nil, &stream, &delivery).is_err());
        assert!(of_autoclaim(array([]), &stream, &delivery).is_err());
    }

    /// Whatever nests in whatever: no reply makes a panic.
    #[test]
    fn random_replies_never_panic() {
        fn value(state: &mut u64, depth: u32) -> Value {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let choice = *state >> 60;
            let list = |state: &mut u64| (0..choice % 5).map(|_| value(state, depth + 1)).collect::<Vec<_>>();
            match choice {
                0..=7 if depth < 6 => Value::Array(list(state)),
                8 if depth < 6 => Value::Map(list(state).into_iter().map(|value| (value.clone(), value)).collect()),
                9 => Value::Nil,
                10 => Value::Int(-7),
                11 => Value::BulkString(vec![0xff]),
                12 => Value::SimpleString("1-0".to_owned()),
                13 => Value::Okay,
                _ => text("1-0"),
            }
        }
        let stream = Arc::from(&b"s"[..]);
        let mut state = 7;
        for _ in 0..20_000 {
            let reply = value(&mut state, 0);
            of_read(reply.clone(), |_| Delivery::default()).ok();
            of_list(reply.clone(), &stream, &Delivery::default()).ok();
            of_autoclaim(reply, &stream, &Delivery::default()).ok();
        }
    }
}
