//! An entry of a stream.

use crate::headers::bytes;
use redis::streams::StreamId;
use redis::{FromRedisValue, Value, from_redis_value_ref};
use std::fmt;
use std::sync::Arc;

/// An entry of a stream, with all its fields as the server sent them.
///
/// redis' own [`StreamId`] is a map with names that are UTF-8: it loses the fields' order and those of the same name, and one entry with
/// another name makes the reply of the whole read an error, while its entries have been delivered. This one keeps everything;
/// [`get`](Self::get) is that of `StreamId`, and `StreamId::from` makes one.
///
/// The fields that carry the context (`traceparent`, `tracestate`, `baggage`) are among the others: whoever passes on all fields sees
/// them too.
///
/// ```
/// use traced_redis::Entry;
/// use traced_redis::redis::streams::StreamId;
///
/// let mut native = StreamId { id: "1700000000000-0".to_owned(), ..StreamId::default() };
/// native.map.insert("order".to_owned(), traced_redis::redis::Value::BulkString(b"42".to_vec()));
/// let entry = Entry::new("orders", native);
/// assert_eq!((entry.stream(), entry.id()), (&b"orders"[..], "1700000000000-0"));
/// assert_eq!(entry.get::<u64>("order"), Some(42));
/// ```
#[derive(Clone)]
pub struct Entry {
    stream: Arc<[u8]>,
    id: String,
    fields: Vec<(Value, Value)>,
    pub(crate) delivery: Delivery,
}

/// What is known of how an entry came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// `None` for an entry that was read without a group.
    pub(crate) group: Option<Arc<[u8]>>,
    /// Whether it stays pending until it is acknowledged.
    pub(crate) is_pending: bool,
    /// How often the group has delivered it, this time included.
    pub(crate) deliveries: Option<u32>,
    /// Whether this is not the first delivery for sure, also where their number is not known: it was claimed, or read again.
    pub(crate) is_again: bool,
}

impl Entry {
    /// An entry that was read by redis itself, without a group; [`of_group`](Self::of_group) adds it.
    ///
    /// ```
    /// use traced_redis::Entry;
    /// use traced_redis::redis::streams::StreamId;
    ///
    /// let entry = Entry::new("orders", StreamId::default());
    /// assert_eq!((entry.group(), entry.deliveries()), (None, None));
    /// ```
    #[must_use]
    pub fn new(stream: impl AsRef<[u8]>, entry: StreamId) -> Self {
        let text = |name: String| Value::BulkString(name.into_bytes());
        let fields = entry.map.into_iter().map(|(name, value)| (text(name), value)).collect();
        // Those of `XREADGROUP .. CLAIM`, which counts the deliveries before this one.
        let before = entry.delivered_count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let deliveries = before.map(|before| before.saturating_add(1));
        let delivery = Delivery { deliveries, ..Delivery::default() };
        Self { stream: stream.as_ref().into(), id: entry.id, fields, delivery }
    }

    pub(crate) fn read(stream: Arc<[u8]>, id: String, fields: Vec<(Value, Value)>, delivery: Delivery) -> Self {
        Self { stream, id, fields, delivery }
    }

    /// Says which group the entry was read in, where it waits for its acknowledgement.
    ///
    /// ```
    /// use traced_redis::{Entry, redis::streams::StreamId};
    ///
    /// let entry = Entry::new("orders", StreamId::default()).of_group("inventory");
    /// assert_eq!(entry.group(), Some(&b"inventory"[..]));
    /// ```
    #[must_use]
    pub fn of_group(mut self, group: impl AsRef<[u8]>) -> Self {
        self.delivery.group = Some(group.as_ref().into());
        self.delivery.is_pending = true;
        self
    }

    /// The stream's key.
    ///
    /// ```
    /// use traced_redis::{Entry, redis::streams::StreamId};
    ///
    /// assert_eq!(Entry::new([0xff], StreamId::default()).stream(), [0xff]); // keys are bytes
    /// ```
    #[must_use]
    pub fn stream(&self) -> &[u8] {
        &self.stream
    }

    /// The entry's id, such as `1700000000000-0`.
    ///
    /// ```
    /// use traced_redis::{Entry, redis::streams::StreamId};
    ///
    /// let entry = Entry::new("orders", StreamId { id: "1700000000000-0".to_owned(), ..StreamId::default() });
    /// assert_eq!(entry.id(), "1700000000000-0");
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The group that it was read in; `None` for a plain `XREAD`.
    ///
    /// ```
    /// use traced_redis::{Entry, redis::streams::StreamId};
    ///
    /// let read = Entry::new("orders", StreamId::default());
    /// assert_eq!(read.group(), None);
    /// assert_eq!(read.of_group("inventory").group(), Some(&b"inventory"[..]));
    /// ```
    #[must_use]
    pub fn group(&self) -> Option<&[u8]> {
        self.delivery.group.as_deref()
    }

    /// How often the group has delivered it, this time included; `None` where it is not known.
    ///
    /// ```
    /// use traced_redis::{Entry, redis::streams::StreamId};
    ///
    /// // `XREADGROUP .. CLAIM` tells how often it was delivered before.
    /// let claimed = StreamId { delivered_count: Some(2), ..StreamId::default() };
    /// assert_eq!(Entry::new("orders", claimed).deliveries(), Some(3));
    /// ```
    #[must_use]
    pub fn deliveries(&self) -> Option<u32> {
        self.delivery.deliveries
    }

    /// The fields in their order. There are none where the entry has been deleted while it was pending, or where only its id was asked
    /// for (`JUSTID`).
    ///
    /// ```
    /// use traced_redis::redis::{Value, streams::StreamId};
    /// use traced_redis::Entry;
    ///
    /// let text = |text: &str| Value::BulkString(text.into());
    /// let mut native = StreamId::default();
    /// native.map.insert("order".to_owned(), text("42"));
    /// assert_eq!(Entry::new("orders", native).fields(), [(text("order"), text("42"))]);
    /// ```
    #[must_use]
    pub fn fields(&self) -> &[(Value, Value)] {
        &self.fields
    }

    /// The value of a field, of several the last one's; `None` if there is none or it cannot be read as a `T`.
    ///
    /// ```
    /// use traced_redis::redis::{Value, streams::StreamId};
    /// use traced_redis::Entry;
    ///
    /// let mut native = StreamId::default();
    /// native.map.insert("order".to_owned(), Value::BulkString(b"42".to_vec()));
    /// let entry = Entry::new("orders", native);
    /// assert_eq!((entry.get::<u64>("order"), entry.get::<u64>("missing")), (Some(42), None));
    /// ```
    #[must_use]
    pub fn get<T: FromRedisValue>(&self, name: &str) -> Option<T> {
        self.find(name).and_then(|value| from_redis_value_ref(value).ok())
    }

    /// Whether there is a field of this name.
    ///
    /// ```
    /// use traced_redis::redis::{Value, streams::StreamId};
    /// use traced_redis::Entry;
    ///
    /// let mut native = StreamId::default();
    /// native.map.insert("express".to_owned(), Value::BulkString(Vec::new()));
    /// assert!(Entry::new("orders", native).contains_key("express"));
    /// ```
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether the group has delivered it before.
    pub(crate) fn is_redelivered(&self) -> bool {
        self.delivery.deliveries.map_or(self.delivery.is_again, |deliveries| deliveries > 1)
    }

    /// What a settle span needs to know.
    pub(crate) fn without_fields(&self) -> Self {
        Self {
            fields: Vec::new(),
            stream: Arc::clone(&self.stream),
            id: self.id.clone(),
            delivery: self.delivery.clone(),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let named = |(field, _): &&(Value, Value)| bytes(field) == Some(name.as_bytes());
        self.fields.iter().rev().find(named).map(|(_, value)| value)
    }
}

impl From<Entry> for StreamId {
    /// What redis' type cannot hold is lost: names that are not UTF-8 become readable, and of several fields of a name the last one stays.
    fn from(entry: Entry) -> Self {
        let name =
            |name: &Value| bytes(name).map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
        Self {
            id: entry.id,
            map: entry.fields.into_iter().map(|(field, value)| (name(&field), value)).collect(),
            delivered_count: entry.delivery.deliveries.and_then(|count| usize::try_from(count.saturating_sub(1)).ok()),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Entry {
    /// The fields are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("stream", &String::from_utf8_lossy(&self.stream))
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
