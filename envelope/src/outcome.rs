//! How an operation on a message ended, and how an error is named.

use crate::Telemetry;
use std::any::Any;
use std::borrow::Cow;
use std::fmt::{Display, Write};

/// How the operation ended: what decides a span's status.
///
/// ```
/// use traced_envelope::Outcome;
///
/// let outcome = Outcome::error("out_of_stock", "no item 42 left");
/// assert_eq!(outcome, Outcome::Error { kind: "out_of_stock".into(), message: "no item 42 left".into() });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded: the status stays Unset, as the conventions ask of instrumentation.
    Ok,
    /// It failed: status Error.
    Error {
        /// The attribute `error.type`: of low cardinality, such as an error code's name.
        kind: Cow<'static, str>,
        /// The status' description.
        message: Cow<'static, str>,
    },
    /// Neither: the message was put off on purpose, such as a retry later. The status stays Unset.
    Deferred,
}

impl Outcome {
    /// A failure of this kind (low cardinality: it becomes a metric's attribute) with this description.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("rabbitmq", &capture.settings("shop"));
    /// let span = telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new());
    /// span.end(Outcome::error("unroutable", "no queue is bound to `orders`"));
    /// let sent = capture.metric("messaging.client.sent.messages");
    /// assert_eq!(sent.attribute("error.type"), Some(&"unroutable".into()));
    /// ```
    #[must_use]
    pub fn error(kind: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Error { kind: kind.into(), message: message.into() }
    }

    /// The operation was dropped before it had finished.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// # let capture = Capture::new();
    /// # let telemetry = Telemetry::new("nats", &capture.settings("warehouse"));
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// span.end(Outcome::cancelled()); // as if it were dropped
    /// capture.assert_trace("process orders  warehouse  CONSUMER  ✗ cancelled");
    /// ```
    #[must_use]
    pub fn cancelled() -> Self {
        Self::error("cancelled", "dropped before it had finished")
    }

    pub(crate) fn panicked() -> Self {
        Self::error("panic", "the handler panicked")
    }

    pub(crate) fn of<T, E: Display + 'static>(result: &Result<T, E>, name: Option<&ErrorKind>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(error) => {
                let kind = name.and_then(|name| name(error)).unwrap_or_else(type_of::<E>);
                // `to_string` panics where a `Display` fails.
                let mut text = String::new();
                write!(text, "{error}").ok();
                Self::error(kind, text)
            }
        }
    }
}

impl Telemetry {
    /// What [`MessageSpan::run`](crate::MessageSpan::run) makes of a result, with the names of
    /// [`Settings::on_error`](crate::Settings::on_error): for adapters that decide about some results themselves.
    ///
    /// ```
    /// use traced_envelope::{Outcome, Settings, Telemetry};
    ///
    /// let settings = Settings::default().on_error(|error| error.downcast_ref::<std::fmt::Error>().map(|_| "unformatted"));
    /// let telemetry = Telemetry::new("nats", &settings);
    /// assert_eq!(telemetry.outcome(&Ok::<_, std::fmt::Error>(())), Outcome::Ok);
    /// let Outcome::Error { kind, .. } = telemetry.outcome(&Err::<(), _>(std::fmt::Error)) else { panic!() };
    /// assert_eq!(kind, "unformatted");
    /// ```
    #[must_use]
    pub fn outcome<T, E: Display + 'static>(&self, result: &Result<T, E>) -> Outcome {
        Outcome::of(result, self.inner.settings.on_error.as_deref())
    }
}

/// [`Settings::on_error`](crate::Settings::on_error)'s hook.
pub(crate) type ErrorKind = dyn Fn(&dyn Any) -> Option<&'static str> + Send + Sync;

/// `error.type` of an error that nobody named: its type, or `_OTHER` (the conventions' fallback) where the type says nothing.
fn type_of<E>() -> &'static str {
    let name = std::any::type_name::<E>();
    let erased = [
        "&",
        "alloc::borrow::Cow<",
        "alloc::boxed::Box<dyn ",
        "alloc::boxed::Box<str>",
        "alloc::string::String",
        "alloc::sync::Arc<dyn ",
        "anyhow::Error",
        "eyre::Report",
    ];
    if erased.iter().any(|prefix| name.starts_with(prefix)) { "_OTHER" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_named_by_its_type_and_an_erased_one_is_other() {
        assert_eq!(type_of::<std::fmt::Error>(), "core::fmt::Error");
        assert_eq!(type_of::<Box<dyn std::error::Error + Send + Sync>>(), "_OTHER");
        assert_eq!(type_of::<Box<dyn std::error::Error>>(), "_OTHER");
        assert_eq!(type_of::<std::sync::Arc<dyn std::error::Error>>(), "_OTHER");
        assert_eq!(type_of::<std::borrow::Cow<'static, str>>(), "_OTHER");
        assert_eq!(type_of::<String>(), "_OTHER");
        assert_eq!(type_of::<&'static str>(), "_OTHER");
    }

    #[test]
    fn the_applications_name_for_an_error_wins() {
        let name: Box<ErrorKind> = Box::new(|error| error.downcast_ref::<std::fmt::Error>().map(|_| "unformatted"));
        let outcome = Outcome::of(&Err::<(), _>(std::fmt::Error), Some(&*name));
        assert!(matches!(outcome, Outcome::Error { kind, .. } if kind == "unformatted"));
        let outcome = Outcome::of(&Err::<(), _>("text".to_owned()), Some(&*name));
        assert_eq!(outcome, Outcome::error("_OTHER", "text"));
    }
}
