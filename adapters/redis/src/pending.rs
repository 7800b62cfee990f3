//! Asking a group how often it has delivered entries, by `XPENDING`.
//!
//! One command asks for the range from the first entry to the last, however many there are. Others that are pending can lie between them,
//! and fill the answer before all are in it: those that are missing then are asked for one by one, so many and no more.

use crate::Entry;
use crate::headers::bytes;
use redis::{Cmd, Pipeline, Value};
use std::collections::HashMap;

/// How many are asked for one by one. They are commands of one pipeline, which keeps all others waiting, also those of other clients.
const ONE_BY_ONE: usize = 100;

/// The entries of one stream whose deliveries are asked for.
pub(crate) struct Pending<'e> {
    entries: &'e mut [Entry],
    /// How many the server answers at most.
    count: usize,
}

/// Those whose deliveries are not known, stream by stream: of a group, and not delivered for the first time just now.
pub(crate) fn unknown(entries: &mut [Entry]) -> impl Iterator<Item = Pending<'_>> {
    let uncounted = |entry: &Entry| entry.group().is_some() && entry.deliveries().is_none();
    let streams = entries.chunk_by_mut(|one, other| one.stream() == other.stream());
    let streams = streams.filter(move |of_stream| of_stream.iter().all(uncounted));
    // Twice as many, for others that lie between; a few cost nothing.
    streams.map(|entries| Pending { count: entries.len().saturating_mul(2).saturating_add(10), entries })
}

impl Pending<'_> {
    /// The command that asks for the range. They are all pending for the consumer that has just got them: what is pending for others
    /// is left out, where it is known.
    pub(crate) fn range(&self, consumer: Option<&[u8]>) -> Option<Cmd> {
        let group = self.entries.first()?.group()?;
        let place = |entry: &&Entry| place(entry.id());
        let first = self.entries.iter().min_by_key(place)?;
        let last = self.entries.iter().max_by_key(place)?;
        let mut command = Cmd::xpending_count(first.stream(), group, first.id(), last.id(), self.count);
        if let Some(consumer) = consumer {
            command.arg(consumer);
        }
        Some(command)
    }

    /// Notes the answer, and asks for those that had no room in it. What is pending no more is in none.
    pub(crate) fn note(&mut self, answer: &Value) -> Option<Pipeline> {
        let listed = listed(answer);
        for entry in self.entries.iter_mut() {
            entry.delivery.deliveries = listed.get(entry.id()).copied();
        }
        if listed.len() < self.count {
            return None;
        }
        let mut pipeline = Pipeline::new();
        for entry in self.missing() {
            pipeline.add_command(Cmd::xpending_count(entry.stream(), entry.group()?, entry.id(), entry.id(), 1));
        }
        (!pipeline.is_empty()).then_some(pipeline)
    }

    /// Notes the answers of those that were asked for one by one.
    pub(crate) fn note_missing(&mut self, answers: &[Value]) {
        for (entry, answer) in self.missing().zip(answers) {
            entry.delivery.deliveries = listed(answer).get(entry.id()).copied();
        }
    }

    fn missing(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter(|entry| entry.deliveries().is_none()).take(ONE_BY_ONE)
    }
}

/// Redis orders ids by their numbers, not as texts.
fn place(id: &str) -> Option<(u64, u64)> {
    let (milliseconds, number) = id.split_once('-')?;
    Some((milliseconds.parse().ok()?, number.parse().ok()?))
}

/// How often each was delivered, by its id. The answer has for each its id, its consumer, the milliseconds since, and that number.
fn listed(answer: &Value) -> HashMap<&str, u32> {
    let listed = answer.as_sequence().unwrap_or_default().iter().filter_map(|entry| match entry.as_sequence()? {
        [id, _, _, Value::Int(deliveries)] => {
            Some((std::str::from_utf8(bytes(id)?).ok()?, u32::try_from(*deliveries).ok()?))
        }
        _ => None,
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::streams::StreamId;

    fn entries(ids: &[&str]) -> Vec<Entry> {
        let entry = |id: &&str| Entry::new("orders", StreamId { id: (*id).to_owned(), ..StreamId::default() });
        ids.iter().map(|id| entry(id).of_group("inventory")).collect()
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn one(id: &str, deliveries: i64) -> Value {
        Value::Array(vec![text(id), text("worker-1"), Value::Int(5), Value::Int(deliveries)])
    }

    #[test]
    fn the_range_is_from_the_lowest_id_to_the_highest_by_number() {
        let mut entries = entries(&["9-0", "10-2", "10-11", "9-1"]);
        let pending = unknown(&mut entries).next().unwrap();
        let mut expected = Cmd::xpending_count("orders", "inventory", "9-0", "10-11", 18);
        assert_eq!(pending.range(None).unwrap().get_packed_command(), expected.get_packed_command());
        expected.arg("worker-1");
        assert_eq!(pending.range(Some(b"worker-1")).unwrap().get_packed_command(), expected.get_packed_command());
    }

    #[test]
    fn those_that_had_no_room_in_the_answer_are_asked_for_by_themselves() {
        let mut entries = entries(&["1-0", "9-0"]);
        let mut pending = unknown(&mut entries).next().unwrap();
        let full = Value::Array((0..14).map(|number| one(&format!("1-{number}"), 2)).collect());
        let commands = pending.note(&full).unwrap();
        let mut expected = Pipeline::new();
        expected.add_command(Cmd::xpending_count("orders", "inventory", "9-0", "9-0", 1));
        assert_eq!(commands.get_packed_pipeline(), expected.get_packed_pipeline());
        pending.note_missing(&[Value::Array(vec![one("9-0", 3)])]);
        assert_eq!(entries.iter().map(Entry::deliveries).collect::<Vec<_>>(), [Some(2), Some(3)]);
    }

    #[test]
    fn no_more_than_a_hundred_are_asked_for_by_themselves() {
        let ids: Vec<String> = (0..1000).map(|number| format!("9-{number}")).collect();
        let mut entries = entries(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let mut pending = unknown(&mut entries).next().unwrap();
        let full = Value::Array((0..2010).map(|number| one(&format!("1-{number}"), 2)).collect());
        assert_eq!(pending.note(&full).unwrap().len(), ONE_BY_ONE);
    }

    #[test]
    fn an_answer_with_room_left_has_all_that_are_pending() {
        let mut entries = entries(&["1-0", "2-0"]);
        let mut pending = unknown(&mut entries).next().unwrap();
        assert!(pending.note(&Value::Array(vec![one("2-0", 7)])).is_none());
        assert_eq!(entries.iter().map(Entry::deliveries).collect::<Vec<_>>(), [None, Some(7)]);
    }

    #[test]
    fn an_answer_of_another_shape_leaves_the_count_unknown() {
        let parts = |parts: Vec<Value>| Value::Array(vec![Value::Array(parts)]);
        for answer in [
            Value::Array(vec![one("1-0", -1)]),
            parts(vec![text("1-0"), Value::Int(2)]),
            parts(vec![Value::Nil, Value::Nil, Value::Int(5), Value::Int(2)]),
            Value::Array(vec![Value::Nil]),
            Value::Array(Vec::new()),
            Value::Nil,
            Value::Okay,
        ] {
            let mut entries = entries(&["1-0"]);
            let mut pending = unknown(&mut entries).next().unwrap();
            assert!(pending.note(&answer).is_none());
            assert_eq!(entries[0].deliveries(), None, "{answer:?}");
        }
    }
}
