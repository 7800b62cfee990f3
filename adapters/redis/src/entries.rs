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
