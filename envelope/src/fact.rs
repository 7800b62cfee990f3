//! Values of attributes that are known of one message.

use opentelemetry::Value;

/// The value of an attribute, borrowed.
///
/// ```
/// use traced_envelope::{Fact, MessageHeaders, Operation, Telemetry, semconv::Name, testing::Capture};
///
/// # let capture = Capture::new();
/// # let telemetry = Telemetry::new("sqlite", &capture.settings("mailer"));
/// let (locked_by, urgent) = (Name::unchanged("job.locked_by"), Name::unchanged("job.urgent"));
/// let facts = [(locked_by, Fact::Text("mailer-1")), (urgent, true.into())];
/// drop(telemetry.process(Operation::new("process", "emails").facts(&facts), &MessageHeaders::new()));
/// let span = capture.span("process emails");
/// assert_eq!(span.attribute("job.locked_by"), Some(&"mailer-1".into()));
/// assert_eq!(span.attribute("job.urgent"), Some(&true.into()));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    /// A number.
    Number(i64),
    /// A truth value.
    Flag(bool),
    /// A text.
    Text(&'a str),
}

impl From<i64> for Fact<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Fact<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a str> for Fact<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<Fact<'_>> for Value {
    fn from(fact: Fact<'_>) -> Self {
        match fact {
            Fact::Number(number) => number.into(),
            Fact::Flag(flag) => flag.into(),
            Fact::Text(text) => text.to_owned().into(),
        }
    }
}
