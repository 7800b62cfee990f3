//! What becomes of spans and log records on their way out, as numbers.

use opentelemetry_sdk::error::OTelSdkResult;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Of one signal. Written with relaxed order: each number is right, and two may be read a moment apart.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) created: AtomicU64,
    pub(crate) exported: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) waiting: AtomicUsize,
    failing: AtomicBool,
    closed: AtomicBool,
    last_error: Mutex<Option<(String, SystemTime)>>,
}

impl Counts {
    pub(crate) fn create(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there is room for one more in the queue; it is counted as waiting then, and as dropped otherwise.
    ///
    /// Decided here because the SDK's processors do not tell what they drop. What waits here is never less than what their queue holds,
    /// since it leaves this count when it is exported, after it has left the queue: so they find their queue full never before we do.
    pub(crate) fn admit(&self, most: usize) -> bool {
        if self.waiting.fetch_add(1, Ordering::AcqRel) < most && !self.closed.load(Ordering::Relaxed) {
            return true;
        }
        self.leave(1);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// They have left the queue, and are sent.
    pub(crate) fn leave(&self, number: usize) {
        // Never below zero, whatever a processor of the SDK does.
        let less = |waiting: usize| Some(waiting.saturating_sub(number));
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok();
    }

    pub(crate) fn sent(&self, number: usize, result: &OTelSdkResult) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        match result {
            Ok(()) => {
                self.exported.fetch_add(number, Ordering::Relaxed);
                self.failing.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                self.lost.fetch_add(number, Ordering::Relaxed);
                self.fail(error.to_string());
            }
        }
    }

    fn fail(&self, error: String) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some((error, SystemTime::now()));
    }

    /// What comes from here on is dropped: the processor's thread is about to end.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn last_error(&self) -> Option<(String, SystemTime)> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::error::OTelSdkError;

    fn numbers(counts: &Counts) -> (u64, u64, u64, usize) {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let waiting = counts.waiting.load(Ordering::Relaxed);
        (number(&counts.exported), number(&counts.dropped), number(&counts.lost), waiting)
    }

    #[test]
    fn what_finds_no_room_is_dropped_until_there_is_room_again() {
        let counts = Counts::default();
        assert_eq!([0; 4].map(|_: u8| counts.admit(2)), [true, true, false, false]);
        assert_eq!(numbers(&counts), (0, 2, 0, 2));
        counts.leave(2);
        counts.sent(2, &Ok(()));
        assert!(counts.admit(2));
        assert_eq!(numbers(&counts), (2, 2, 0, 1));
    }

    #[test]
    fn a_failed_export_is_remembered_after_one_that_went_well() {
        let counts = Counts::default();
        counts.sent(3, &Err(OTelSdkError::InternalFailure("refused".to_owned())));
        assert!(counts.is_failing());
        counts.sent(1, &Ok(()));
        assert!(!counts.is_failing());
        assert_eq!(numbers(&counts), (1, 0, 3, 0));
        assert!(counts.last_error().is_some_and(|(error, _)| error.contains("refused")));
    }

    #[test]
    fn what_comes_after_the_end_is_dropped() {
        let counts = Counts::default();
        counts.close();
        assert!(!counts.admit(10));
        assert_eq!(numbers(&counts), (0, 1, 0, 0));
    }

    #[test]
    fn threads_that_fill_the_queue_together_do_not_overfill_it() {
        let counts = Counts::default();
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..1000).filter(|_| counts.admit(100)).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 100);
        assert_eq!(numbers(&counts), (0, 3900, 0, 100));
    }
}
