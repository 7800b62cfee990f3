//! What may keep a service's telemetry from being set up.

use std::fmt;

/// Why [`init`](crate::init) did nothing, in one line that names the variable and what it takes.
///
/// ```
/// let first = traced_telemetry::init("orders");
/// let second = traced_telemetry::init("orders");
/// assert!(second.is_err_and(|error| error.is_already_initialized()));
/// # drop(first);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    AlreadyInitialized,
    Subscriber,
    Configuration(String),
    Shutdown(String),
}

impl Error {
    pub(crate) const fn already_initialized() -> Self {
        Self(Kind::AlreadyInitialized)
    }

    pub(crate) const fn subscriber() -> Self {
        Self(Kind::Subscriber)
    }

    pub(crate) const fn configuration(message: String) -> Self {
        Self(Kind::Configuration(message))
    }

    pub(crate) const fn shutdown(message: String) -> Self {
        Self(Kind::Shutdown(message))
    }

    /// Whether this process was set up before: providers, propagator and subscriber are process-wide, and there is one of each.
    ///
    /// ```
    /// # let _ = traced_telemetry::init("orders").map_err(|error| {
    /// assert!(!error.is_already_initialized());
    /// # });
    /// ```
    #[must_use]
    pub const fn is_already_initialized(&self) -> bool {
        matches!(self.0, Kind::AlreadyInitialized | Kind::Subscriber)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::AlreadyInitialized => formatter.write_str("telemetry was set up in this process before"),
            Kind::Subscriber => formatter.write_str(
                "a `tracing` subscriber was installed in this process before: set telemetry up first, or instead",
            ),
            Kind::Configuration(message) | Kind::Shutdown(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
