//! Spans that wait, by their number and by their age.

use crate::MessageSpan;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Spans by their number, and the numbers by their age: after a channel has recovered they start again, so that a low number can be
/// younger than a high one.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) by_number: BTreeMap<u64, Entry>,
    by_age: BTreeMap<Ticket, u64>,
    inserted: u64,
    /// The last one before the numbers started again.
    before: Ticket,
}

pub(super) struct Entry {
    since: Instant,
    pub(super) ticket: Ticket,
    span: MessageSpan,
}

/// Which of the spans that had the same number one after the other is meant; see [`OpenSpans::insert`](super::OpenSpans::insert).
///
/// ```
/// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Settings, Telemetry};
///
/// # let telemetry = Telemetry::new("nats", &Settings::default());
/// # let start = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
/// let open = OpenSpans::new(&Settings::default());
/// let before = open.insert(1, start());
/// let after = open.insert(1, start()); // the channel has recovered: its numbers start again
/// assert!(before < after);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub(super) u64);

pub(super) type Taken = Vec<MessageSpan>;

impl Waiting {
    /// The span that had the number before comes back.
    pub(super) fn insert(&mut self, number: u64, span: MessageSpan) -> (Ticket, Option<MessageSpan>) {
        let before = self.remove(number);
        self.inserted += 1;
        let ticket = Ticket(self.inserted);
        self.by_age.insert(ticket, number);
        self.by_number.insert(number, Entry { since: Instant::now(), ticket, span });
        (ticket, before)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<MessageSpan> {
        let entry = self.by_number.remove(&number)?;
        self.by_age.remove(&entry.ticket);
        Some(entry.span)
    }

    /// The numbers up to this one, without those of before they started again.
    pub(super) fn through(&self, number: u64) -> Vec<u64> {
        let through = self.by_number.range(..=number).filter(|(_, entry)| entry.ticket > self.before);
        through.map(|(number, _)| *number).collect()
    }

    /// The numbers start again, unless somebody whose `last` ticket is of before has said so already.
    pub(super) fn restarted(&mut self, last: Ticket) {
        if self.before < last {
            self.before = Ticket(self.inserted);
        }
    }

    pub(super) fn remove_all(&mut self) -> Taken {
        self.by_age.clear();
        std::mem::take(&mut self.by_number).into_values().map(|entry| entry.span).collect()
    }

    /// The oldest one, if it is at least this old.
    pub(super) fn remove_oldest(&mut self, age: Duration) -> Option<MessageSpan> {
        let (_, number) = self.by_age.first_key_value()?;
        let old_enough = self.by_number.get(number).is_some_and(|entry| entry.since.elapsed() >= age);
        if old_enough { self.remove(*number) } else { None }
    }
}
