//! Spans that wait for their message's acknowledgement, of one channel.

use crate::{MessageSpan, Outcome, Settings};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The spans of messages that are processed but not yet acknowledged, by their number in the channel: AMQP's delivery tag, or whatever
/// grows with each delivery.
///
/// There is no timer: those that waited too long are ended when the next call looks at them. The number of spans is bounded, the
/// oldest goes first. When the last clone is dropped, what is left is ended as cancelled.
///
/// ```
/// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Settings, Telemetry};
///
/// let telemetry = Telemetry::new("nats", &Settings::default());
/// let open = OpenSpans::new(&Settings::default());
/// for number in 1..=3 {
///     open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
/// }
/// open.end_through(2, &Outcome::Ok); // "acknowledge everything up to 2"
/// assert_eq!(open.len(), 1);
/// open.end(3, &Outcome::error("nack", "not acknowledged"));
/// assert!(open.is_empty());
/// ```
#[derive(Clone)]
pub struct OpenSpans(Arc<Registry>);

struct Registry {
    limit: usize,
    time_limit: Duration,
    spans: Mutex<Spans>,
}

/// Spans by their number, and the numbers by their age: after a channel has recovered they start again, so that a low number can be
/// younger than a high one.
#[derive(Default)]
struct Spans {
    by_number: BTreeMap<u64, (Instant, MessageSpan)>,
    /// Also of spans that have ended since, until [`Spans::tidy`] looks.
    by_age: VecDeque<(Instant, u64)>,
}

type Taken = Vec<MessageSpan>;

impl Spans {
    fn insert(&mut self, number: u64, span: MessageSpan) -> Option<MessageSpan> {
        let now = Instant::now();
        self.tidy();
        self.by_age.push_back((now, number));
        self.by_number.insert(number, (now, span)).map(|(_, span)| span)
    }

    /// The oldest one, if it is at least this old.
    fn take_oldest(&mut self, age: Duration) -> Option<MessageSpan> {
        while let Some((since, number)) = self.by_age.front().copied() {
            if self.is_open(since, number) {
                if since.elapsed() < age {
                    return None;
                }
                self.by_age.pop_front();
                return self.by_number.remove(&number).map(|(_, span)| span);
            }
            self.by_age.pop_front();
        }
        None
    }

    fn is_open(&self, since: Instant, number: u64) -> bool {
        self.by_number.get(&number).is_some_and(|(of, _)| *of == since)
    }

    /// Forgets the ages of spans that have ended, once they are more than those that are open: each is looked at a bounded number of
    /// times.
    fn tidy(&mut self) {
        if self.by_age.len() > 2 * self.by_number.len() + 16 {
            let by_number = &self.by_number;
            self.by_age.retain(|(since, number)| by_number.get(number).is_some_and(|(of, _)| of == since));
        }
    }
}

impl OpenSpans {
    /// None yet, with the limits of the settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(Registry {
            limit: settings.open_span_limit.max(1),
            time_limit: settings.open_span_time_limit,
            spans: Mutex::default(),
        }))
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.change(|_| Taken::new(), &Outcome::Ok);
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner).by_number.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a span. One that has the number already is ended as cancelled: after a channel has recovered its numbers start again, and
    /// what was not acknowledged before is delivered again.
    pub fn insert(&self, number: u64, span: MessageSpan) {
        self.change(
            |spans| {
                let mut taken: Taken = spans.insert(number, span).into_iter().collect();
                while spans.by_number.len() > self.0.limit {
                    taken.extend(spans.take_oldest(Duration::ZERO));
                }
                taken
            },
            &Outcome::cancelled(),
        );
    }

    /// Ends one; nothing happens if it has ended already.
    pub fn end(&self, number: u64, outcome: &Outcome) {
        self.change(|spans| spans.by_number.remove(&number).map(|(_, span)| span).into_iter().collect(), outcome);
    }

    /// Ends all up to and including this one: an acknowledgement of `multiple` messages.
    pub fn end_through(&self, number: u64, outcome: &Outcome) {
        self.change(
            |spans| {
                let spans = &mut spans.by_number;
                let later = number.checked_add(1).map_or_else(BTreeMap::new, |next| spans.split_off(&next));
                std::mem::replace(spans, later).into_values().map(|(_, span)| span).collect()
            },
            outcome,
        );
    }

    /// Ends all: the channel is closed, or the stream has ended.
    pub fn end_all(&self, outcome: &Outcome) {
        self.end_through(u64::MAX, outcome);
    }

    /// Takes spans out and ends them outside the lock, since exporters may take their time.
    fn change(&self, take: impl FnOnce(&mut Spans) -> Taken, outcome: &Outcome) {
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = take(&mut spans);
        let expired: Taken = std::iter::from_fn(|| spans.take_oldest(self.0.time_limit)).collect();
        drop(spans);
        for mut span in taken {
            span.finish(outcome);
        }
        for mut span in expired {
            span.finish(&Outcome::error("timeout", "not acknowledged within the time limit"));
        }
    }
}

impl fmt::Debug for OpenSpans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_struct("OpenSpans").field("numbers", &spans.by_number.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Capture;
    use crate::{MessageHeaders, Operation, Telemetry};

    /// Delivery tags start again when a channel has recovered: what waited before has higher numbers and is older.
    #[test]
    fn age_and_not_the_number_decides_who_is_the_oldest() {
        let capture = Capture::new();
        let settings = capture.settings("worker").open_span_limit(2);
        let telemetry = Telemetry::new("nats", &settings);
        let open = OpenSpans::new(&settings);
        for number in [900, 1, 2] {
            open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
        }
        open.end_through(2, &Outcome::Ok);
        assert!(open.is_empty(), "900 was the oldest: {open:?}");
    }

    #[test]
    fn ages_of_spans_that_have_ended_are_forgotten() {
        let telemetry = Telemetry::new("nats", &Settings::default());
        let open = OpenSpans::new(&Settings::default());
        let process = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
        open.insert(0, process()); // never acknowledged
        for number in 1..1000 {
            open.insert(number, process());
            open.end(number, &Outcome::Ok);
        }
        assert!(open.0.spans.lock().unwrap().by_age.len() < 32);
        assert_eq!(open.len(), 1);
    }
}
