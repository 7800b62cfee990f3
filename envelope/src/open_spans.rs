//! Spans that wait for their message's acknowledgement, of one channel.

use crate::{MessageSpan, Outcome, Settings};
use std::collections::BTreeMap;
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
    spans: Mutex<BTreeMap<u64, (Instant, MessageSpan)>>,
}

type Taken = Vec<MessageSpan>;

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
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner).len()
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
                let mut taken: Taken =
                    spans.insert(number, (Instant::now(), span)).map(|(_, span)| span).into_iter().collect();
                while spans.len() > self.0.limit {
                    taken.extend(spans.pop_first().map(|(_, (_, span))| span));
                }
                taken
            },
            &Outcome::cancelled(),
        );
    }

    /// Ends one; nothing happens if it has ended already.
    pub fn end(&self, number: u64, outcome: &Outcome) {
        self.change(|spans| spans.remove(&number).map(|(_, span)| span).into_iter().collect(), outcome);
    }

    /// Ends all up to and including this one: an acknowledgement of `multiple` messages.
    pub fn end_through(&self, number: u64, outcome: &Outcome) {
        self.change(
            |spans| {
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
    fn change(&self, take: impl FnOnce(&mut BTreeMap<u64, (Instant, MessageSpan)>) -> Taken, outcome: &Outcome) {
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = take(&mut spans);
        let expired = self.take_expired(&mut spans);
        drop(spans);
        for mut span in taken {
            span.finish(outcome);
        }
        for mut span in expired {
            span.finish(&Outcome::error("timeout", "not acknowledged within the time limit"));
        }
    }

    /// Numbers grow with time, so that the first that has not expired ends the search.
    fn take_expired(&self, spans: &mut BTreeMap<u64, (Instant, MessageSpan)>) -> Taken {
        let mut expired = Taken::new();
        while let Some(first) = spans.first_entry().filter(|first| first.get().0.elapsed() >= self.0.time_limit) {
            expired.push(first.remove().1);
        }
        expired
    }
}

impl fmt::Debug for OpenSpans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_struct("OpenSpans").field("numbers", &spans.keys()).finish()
    }
}
