//! Values of attributes that are known of one message.

use opentelemetry::Value;

/// The value of an attribute, borrowed.
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
