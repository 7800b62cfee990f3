//! Spans that wait for their message's acknowledgement, of one channel.

mod waiting;

use crate::{MessageSpan, Outcome, Settings};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
pub use waiting::Ticket;
use waiting::{Taken, Waiting};

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
    spans: Mutex<Waiting>,
    /// Whether there are any, so that nothing need be locked where there are none.
    some: AtomicBool,
}

impl OpenSpans {
    /// None yet, with the limits of the settings.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// let settings = capture.settings("warehouse").open_span_limit(2);
    /// let telemetry = Telemetry::new("nats", &settings);
    /// let open = OpenSpans::new(&settings);
    /// for number in 1..=3 {
    ///     open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// }
    /// assert_eq!((open.len(), capture.spans().len()), (2, 1));
    /// ```
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(Registry {
            limit: settings.open_span_limit.max(1),
            time_limit: settings.open_span_time_limit,
            spans: Mutex::default(),
            some: AtomicBool::new(false),
        }))
    }

    /// How many are open.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Settings, Telemetry};
    ///
    /// # let telemetry = Telemetry::new("nats", &Settings::default());
    /// # let start = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let open = OpenSpans::new(&Settings::default());
    /// open.insert(1, start());
    /// open.insert(2, start());
    /// open.end(1, &Outcome::Ok);
    /// assert_eq!(open.len(), 1); // messages that nobody has acknowledged yet
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.end_expired();
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner).by_number.len()
    }

    /// Whether none is open.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Settings, Telemetry};
    ///
    /// # let telemetry = Telemetry::new("nats", &Settings::default());
    /// let open = OpenSpans::new(&Settings::default());
    /// open.insert(1, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// assert!(!open.is_empty()); // not yet the moment to shut down
    /// open.end(1, &Outcome::Ok);
    /// assert!(open.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a span. One that has the number already is ended as cancelled: after a channel has recovered its numbers start again, and
    /// what was not acknowledged before is delivered again. With the ticket, [`end_only`](Self::end_only) tells the two apart.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// # let start = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let open = OpenSpans::new(telemetry.settings());
    /// open.insert(1, start());
    /// open.insert(1, start()); // the channel has recovered, and the message is delivered again
    /// assert_eq!(capture.span("process orders").attribute("error.type"), Some(&"cancelled".into()));
    /// assert_eq!(open.len(), 1);
    /// ```
    pub fn insert(&self, number: u64, span: MessageSpan) -> Ticket {
        let mut given = Ticket(0);
        self.change(
            |waiting| {
                let (ticket, before) = waiting.insert(number, span);
                given = ticket;
                let mut taken: Taken = before.into_iter().collect();
                while waiting.by_number.len() > self.0.limit {
                    taken.extend(waiting.remove_oldest(Duration::ZERO));
                }
                taken
            },
            &Outcome::cancelled(),
        );
        given
    }

    /// Ends the one that has the number; nothing happens if it has ended already.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let open = OpenSpans::new(telemetry.settings());
    /// open.insert(7, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// open.end(7, &Outcome::error("nack", "not acknowledged"));
    /// capture.assert_trace("process orders  warehouse  CONSUMER  ✗ nack");
    /// ```
    pub fn end(&self, number: u64, outcome: &Outcome) {
        self.change(|waiting| waiting.remove(number).into_iter().collect(), outcome);
    }

    /// Ends the one that was given this ticket; nothing happens if it has ended already, also when another one has its number now.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let open = OpenSpans::new(&Settings::default());
    /// let start = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let (before, after) = (open.insert(1, start()), open.insert(1, start()));
    /// open.end_only(1, before, &Outcome::Ok);
    /// assert_eq!(open.len(), 1);
    /// open.end_only(1, after, &Outcome::Ok);
    /// assert!(open.is_empty());
    /// ```
    pub fn end_only(&self, number: u64, ticket: Ticket, outcome: &Outcome) {
        self.change(
            |waiting| {
                let same = waiting.by_number.get(&number).is_some_and(|entry| entry.ticket == ticket);
                same.then(|| waiting.remove(number)).flatten().into_iter().collect()
            },
            outcome,
        );
    }

    /// Ends all up to and including this one, but none from before the numbers [restarted](Self::restarted): an acknowledgement of
    /// `multiple` messages.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let open = OpenSpans::new(telemetry.settings());
    /// for number in 1..=3 {
    ///     open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// }
    /// open.end_through(2, &Outcome::Ok);
    /// assert_eq!((capture.spans().len(), open.len()), (2, 1));
    /// ```
    pub fn end_through(&self, number: u64, outcome: &Outcome) {
        self.change(
            |waiting| waiting.through(number).into_iter().filter_map(|number| waiting.remove(number)).collect(),
            outcome,
        );
    }

    /// The numbers start again, because the channel has recovered: what is open now has to do with none of those to come. Those who share
    /// this notice it one after the other: it counts for the first, whose `last` ticket is younger than the restart that was noticed before.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let open = OpenSpans::new(&Settings::default());
    /// let start = || telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let (_, last) = (open.insert(1, start()), open.insert(2, start()));
    /// open.restarted(last);
    /// open.insert(1, start()); // ends the one that had this number
    /// open.insert(3, start());
    /// open.end_through(3, &Outcome::Ok);
    /// assert_eq!(open.len(), 1); // the 2 of before
    /// ```
    pub fn restarted(&self, last: Ticket) {
        let mut waiting = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.restarted(last);
    }

    /// Ends those that waited too long. Every other call does too; this one is for whoever makes none of them. It costs nothing where no
    /// span is open.
    ///
    /// ```
    /// use std::time::Duration;
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let settings = capture.settings("worker").open_span_time_limit(Duration::from_millis(1));
    /// let open = OpenSpans::new(&settings);
    /// open.insert(1, Telemetry::new("nats", &settings).process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// while capture.spans().is_empty() {
    ///     open.end_expired();
    /// }
    /// capture.assert_trace("process orders  worker  CONSUMER  ✗ timeout");
    /// ```
    pub fn end_expired(&self) {
        if self.0.some.load(Ordering::Relaxed) {
            self.change(|_| Taken::new(), &Outcome::Ok);
        }
    }

    /// Ends all: the channel is closed, or the stream has ended.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, OpenSpans, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let open = OpenSpans::new(telemetry.settings());
    /// open.insert(7, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// open.end_all(&Outcome::error("channel_closed", "not acknowledged before the channel was closed"));
    /// capture.assert_trace("process orders  warehouse  CONSUMER  ✗ channel_closed");
    /// ```
    pub fn end_all(&self, outcome: &Outcome) {
        self.change(Waiting::remove_all, outcome);
    }

    /// Takes spans out and ends them outside the lock, since exporters may take their time.
    fn change(&self, take: impl FnOnce(&mut Waiting) -> Taken, outcome: &Outcome) {
        let mut waiting = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = take(&mut waiting);
        let expired: Taken = std::iter::from_fn(|| waiting.remove_oldest(self.0.time_limit)).collect();
        self.0.some.store(!waiting.by_number.is_empty(), Ordering::Relaxed);
        drop(waiting);
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
        let waiting = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_struct("OpenSpans").field("numbers", &waiting.by_number.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Capture;
    use crate::{MessageHeaders, Operation, Telemetry};

    /// Each consumer of a channel notices by itself that it has recovered.
    #[test]
    fn a_restart_that_two_notice_is_one() {
        let settings = Settings::default();
        let telemetry = Telemetry::new("nats", &settings);
        let open = OpenSpans::new(&settings);
        let insert = |number| {
            open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()))
        };
        let (first, second) = (insert(8), insert(9));
        open.restarted(first);
        let first = insert(1);
        open.restarted(second);
        open.end_through(9, &Outcome::Ok);
        assert_eq!(open.len(), 2, "8 and 9 are those of before: {open:?}");
        open.restarted(first);
        insert(10);
        open.end_through(10, &Outcome::Ok);
        assert_eq!(open.len(), 2, "{open:?}");
        open.end_all(&Outcome::Ok);
        assert!(open.is_empty());
    }

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
}
