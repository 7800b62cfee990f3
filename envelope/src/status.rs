//! Whether there is an SDK behind the API: the question to ask when no span appears.

use opentelemetry::otel_warn;
use std::sync::atomic::{AtomicU64, Ordering};

/// From this many messages without an SDK on, a warning is written, once.
const PATIENCE: u64 = 16;

/// What [`Telemetry::status`](crate::Telemetry::status) answers.
///
/// ```
/// use traced_envelope::{MessageHeaders, Operation, Settings, Status, Telemetry};
///
/// let telemetry = Telemetry::new("nats", &Settings::default());
/// assert_eq!(telemetry.status(), Status::NoMessageYet);
/// drop(telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()));
/// assert_eq!(telemetry.status(), Status::NoSdk { messages: 1 }); // this process installed no provider
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// No message was sent or received.
    NoMessageYet,
    /// Spans are made.
    Active,
    /// All messages so far saw no SDK: no tracer provider was installed, or one of another release of `opentelemetry`, whose
    /// process-wide providers are others. Contexts pass through.
    NoSdk {
        /// How many messages.
        messages: u64,
    },
}

/// Counts the messages that saw no SDK, until one sees it.
#[derive(Debug, Default)]
pub(crate) struct SdkWatch(AtomicU64);

/// An SDK was seen.
const SEEN: u64 = u64::MAX;

impl SdkWatch {
    pub(crate) fn seen(&self) {
        if self.0.load(Ordering::Relaxed) != SEEN {
            self.0.store(SEEN, Ordering::Relaxed);
        }
    }

    pub(crate) fn missed(&self) {
        // An SDK that was seen stays seen, also after it was shut down.
        let missed = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |messages| messages.checked_add(1));
        if missed == Ok(PATIENCE - 1) {
            otel_warn!(
                name: "Traced.NoSdk",
                message = "no OpenTelemetry SDK was seen: install a tracer provider of the `opentelemetry` release that this crate re-exports"
            );
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self.0.load(Ordering::Relaxed) {
            0 => Status::NoMessageYet,
            SEEN => Status::Active,
            messages => Status::NoSdk { messages },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_without_an_sdk_are_counted_until_one_is_seen() {
        let watch = SdkWatch::default();
        assert_eq!(watch.status(), Status::NoMessageYet);
        watch.missed();
        watch.missed();
        assert_eq!(watch.status(), Status::NoSdk { messages: 2 });
        watch.seen();
        assert_eq!(watch.status(), Status::Active);
    }

    /// The count stood at its greatest number then, and one more was a panic by overflow in the application's call.
    #[test]
    fn an_sdk_that_is_shut_down_after_it_was_seen_is_no_panic() {
        let watch = SdkWatch::default();
        watch.seen();
        watch.missed();
        assert_eq!(watch.status(), Status::Active);
    }

    #[test]
    fn threads_that_miss_the_sdk_together_are_all_counted() {
        let watch = SdkWatch::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| watch.missed()));
            }
        });
        assert_eq!(watch.status(), Status::NoSdk { messages: 4000 });
    }
}
