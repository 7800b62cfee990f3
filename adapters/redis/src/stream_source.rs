//! Where a stream's entries come from: what a process span says of them.

use crate::attempt::{ATTEMPT_FIELD, attempt};
use crate::headers::bytes;
use crate::source::Source;
use crate::{Entry, HeaderExtractor, destination};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use std::time::{Duration, SystemTime};
use traced_envelope::{MessageSpan, Operation, PreparedDestination, Telemetry, is_anonymous};

impl Source {
    pub(crate) fn of_stream(&self, stream: &[u8], group: Option<&[u8]>) -> PreparedDestination {
        let stream = String::from_utf8_lossy(stream);
        let group = group.map(String::from_utf8_lossy);
        let describe = || destination::of_stream(&stream, group.as_deref());
        match &group {
            _ if is_anonymous(&stream) => self.telemetry.prepare("process", describe()),
            Some(group) => self.telemetry.prepared("process", &[&stream, group], |_| describe()),
            None => self.telemetry.prepared("process", &[&stream], |_| describe()),
        }
    }

    pub(crate) fn process_entry(&self, entry: &Entry) -> MessageSpan {
        if !self.telemetry.is_enabled() {
            return MessageSpan::off();
        }
        let destination = self.of_stream(entry.stream(), entry.group());
        let operation = Operation::new("process", &destination)
            .message_id(entry.id())
            .attempt(attempt(entry))
            .pulled(self.pulled)
            .redelivered(entry.is_redelivered())
            .sent_at(added_at(entry.id()));
        let operation = if self.telemetry.notes_message_sizes() {
            let fields = entry.fields().iter().filter_map(|(name, value)| Some((bytes(name)?, bytes(value)?)));
            operation.body_size(own_size(&self.telemetry, fields))
        } else {
            operation
        };
        self.telemetry.process(operation, &HeaderExtractor(entry))
    }

    /// The context that the entry was added with.
    pub(crate) fn creation(&self, entry: &Entry) -> SpanContext {
        self.telemetry.extract(&HeaderExtractor(entry)).span().span_context().clone()
    }
}

/// Of the application's own fields, names and values: without those of the context, whatever the propagator calls them, and of a retry.
pub(crate) fn own_size<'f>(telemetry: &Telemetry, fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> usize {
    let is_ours = |name: &[u8]| {
        name == ATTEMPT_FIELD.as_bytes() || std::str::from_utf8(name).is_ok_and(|name| telemetry.is_context_field(name))
    };
    fields.filter(|(name, _)| !is_ours(name)).map(|(name, value)| name.len() + value.len()).sum()
}

/// When the entry was added: an id that Redis made (`*`) begins with the server's time in milliseconds. Streams are there since 2018; a
/// smaller number is one that the application chose, such as `0-1`, and says nothing.
fn added_at(id: &str) -> Option<SystemTime> {
    const BEFORE_STREAMS: u64 = 1_500_000_000_000;
    let milliseconds = id.split('-').next()?.parse().ok().filter(|time| *time > BEFORE_STREAMS)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_that_can_be_a_time_is_one() {
        let time = |milliseconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds));
        for (id, expected) in [
            ("1700000000000-0", time(1_700_000_000_000)),
            ("1700000000000", time(1_700_000_000_000)),
            ("0-1", None),
            ("41-7", None),
            ("", None),
            ("-", None),
            ("x-1", None),
            ("99999999999999999999-0", None),
        ] {
            assert_eq!(added_at(id), expected, "{id}");
        }
        assert!(added_at(&format!("{}-1", u64::MAX)).is_none_or(|time| time > SystemTime::now()));
    }
}
