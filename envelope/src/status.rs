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
        let messages = self.0.load(Ordering::Relaxed);
        // Two threads may count one message together: the number is for people.
        if messages < SEEN - 1 {
            self.0.store(messages + 1, Ordering::Relaxed);
        }
        if messages + 1 == PATIENCE {
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
