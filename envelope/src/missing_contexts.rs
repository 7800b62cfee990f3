//! The messages that came without a usable context, as numbers that a process can show of itself.

use rustc_hash::FxBuildHasher;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// As many destinations are told apart; all others count as one without a name.
const MOST_DESTINATIONS: usize = 1024;

static REGISTER: Mutex<Register> = Mutex::new(Register(HashMap::with_hasher(FxBuildHasher)));

/// How many messages of a destination came without a usable context, since the process began.
///
/// The same as the metric `traced.context.missing`, for a health report: no metrics pipeline has to be there.
///
/// ```
/// use traced_envelope::{MessageHeaders, MissingContexts, Operation, Settings, Telemetry};
///
/// let telemetry = Telemetry::new("nats", &Settings::default());
/// drop(telemetry.process(Operation::new("process", "invoices"), &MessageHeaders::new()));
/// let report = MissingContexts::of_this_process();
/// let report: Vec<String> = report.iter().map(|of| format!("{}: {}", of.destination, of.messages())).collect();
/// assert!(report.contains(&"invoices: 1".to_owned()));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MissingContexts {
    /// The destination's low-cardinality name; empty where it has none.
    pub destination: String,
    /// Messages that carried no context.
    pub absent: u64,
    /// Messages whose context could not be read.
    pub invalid: u64,
    /// Messages that carried several contexts that differ.
    pub conflicting: u64,
}

impl MissingContexts {
    /// All of them together.
    ///
    /// ```
    /// use traced_envelope::MissingContexts;
    ///
    /// assert_eq!(MissingContexts::default().messages(), 0);
    /// ```
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.absent.saturating_add(self.invalid).saturating_add(self.conflicting)
    }

    /// Those of the whole process, of all instances whose metrics are not switched off, sorted by destination: this is how the hop
    /// that breaks traces is found.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, MissingContexts, Operation, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// drop(telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
    /// let missing = MissingContexts::of_this_process();
    /// let orders = missing.iter().find(|missing| missing.destination == "orders");
    /// assert!(orders.is_some_and(|orders| orders.absent > 0));
    /// ```
    #[must_use]
    pub fn of_this_process() -> Vec<Self> {
        REGISTER.lock().unwrap_or_else(PoisonError::into_inner).sorted()
    }
}

/// Those of one destination.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    absent: AtomicU64,
    invalid: AtomicU64,
    conflicting: AtomicU64,
}

impl Counts {
    /// Those of this process: a destination asks once and keeps them, so that no message waits for another.
    pub(crate) fn of(destination: &str) -> Arc<Self> {
        REGISTER.lock().unwrap_or_else(PoisonError::into_inner).counts(destination)
    }

    pub(crate) fn count(&self, reason: &str) {
        let count = match reason {
            "absent" => &self.absent,
            "conflicting" => &self.conflicting,
            _ => &self.invalid,
        };
        count.fetch_add(1, Relaxed);
    }
}

#[derive(Debug)]
struct Register(HashMap<String, Arc<Counts>, FxBuildHasher>);

impl Register {
    fn counts(&mut self, destination: &str) -> Arc<Counts> {
        let has_room = self.0.len() < MOST_DESTINATIONS || self.0.contains_key(destination);
        Arc::clone(self.0.entry(if has_room { destination.to_owned() } else { String::new() }).or_default())
    }

    fn sorted(&self) -> Vec<MissingContexts> {
        let of = |(destination, counts): (&String, &Arc<Counts>)| MissingContexts {
            destination: destination.clone(),
            absent: counts.absent.load(Relaxed),
            invalid: counts.invalid.load(Relaxed),
            conflicting: counts.conflicting.load(Relaxed),
        };
        let mut all: Vec<_> = self.0.iter().map(of).collect();
        all.sort_by(|a, b| a.destination.cmp(&b.destination));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Register {
        Register(HashMap::with_hasher(FxBuildHasher))
    }

    #[test]
    fn messages_are_counted_by_destination_and_reason() {
        let mut register = register();
        for (destination, reason) in [
            ("stock", "absent"),
            ("orders", "invalid"),
            ("orders", "absent"),
            ("orders", "absent"),
            ("orders", "conflicting"),
        ] {
            register.counts(destination).count(reason);
        }
        let [orders, stock] = &register.sorted()[..] else { panic!("{register:?}") };
        assert_eq!(
            (orders.destination.as_str(), orders.absent, orders.invalid, orders.conflicting),
            ("orders", 2, 1, 1)
        );
        assert_eq!((stock.destination.as_str(), stock.messages()), ("stock", 1));
    }

    /// Whoever puts ids into names must not fill the memory.
    #[test]
    fn destinations_beyond_the_most_are_counted_together() {
        let mut register = register();
        for number in 0..MOST_DESTINATIONS + 10 {
            register.counts(&number.to_string()).count("absent");
        }
        register.counts("7").count("absent");
        let all = register.sorted();
        assert_eq!(all.len(), MOST_DESTINATIONS + 1);
        assert_eq!((all[0].destination.as_str(), all[0].absent), ("", 10));
        assert_eq!(register.0["7"].absent.load(Relaxed), 2);
    }
}
