//! What hooks and filters may know about a message.

use opentelemetry::propagation::Extractor;
use std::fmt;
use std::time::Duration;

/// Facts about a message, for the closures given to [`Settings`](crate::Settings).
///
/// ```
/// use traced_envelope::{Relation, Settings};
///
/// let settings = Settings::default().relation_with(|message| {
///     let replayed = message.header("x-replay").is_some();
///     if replayed || message.is_old() { Relation::New } else { Relation::Auto }
/// });
/// # let _ = settings;
/// ```
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pub(crate) operation: &'static str,
    pub(crate) destination: &'a str,
    pub(crate) attempt: Option<u32>,
    pub(crate) redelivered: bool,
    pub(crate) age: Option<Duration>,
    pub(crate) old_after: Duration,
    pub(crate) headers: Option<&'a dyn Extractor>,
}

impl Message<'_> {
    /// The name of the operation, such as `publish` or `process`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The destination's name, as in the attribute `messaging.destination.name`.
    #[must_use]
    pub fn destination(&self) -> &str {
        self.destination
    }

    /// Which attempt this is: 1 for the first, and where the transport does not tell.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.unwrap_or(1)
    }

    /// Whether the broker says that it has delivered the message before.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// How long ago the message was sent; zero where the transport does not tell.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age.unwrap_or_default()
    }

    /// Whether the message is older than [`Settings::old_after`](crate::Settings::old_after), 60 seconds by default.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.age() > self.old_after
    }

    /// The text of a header; `None` when it is not there or is no text, and for a whole batch. What is sent has the headers that the
    /// application gave it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.and_then(|headers| headers.get(name))
    }
}

impl fmt::Debug for Message<'_> {
    /// Header values are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Message")
            .field("operation", &self.operation)
            .field("destination", &self.destination)
            .field("attempt", &self.attempt)
            .field("redelivered", &self.redelivered)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}
