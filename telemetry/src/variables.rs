//! The environment's variables, read as OpenTelemetry's specification wants it: empty is unset, what is malformed is warned of and
//! ignored.

use std::env::VarError;
use std::time::Duration;

/// Longer values are cut in a warning.
const SHOWN: usize = 60;

/// The largest queue.
const MOST_PLACES: usize = 1 << 20;

type Read<'a> = dyn Fn(&str) -> Result<String, VarError> + 'a;

pub(crate) struct Variables<'a> {
    read: Box<Read<'a>>,
    warnings: Vec<String>,
}

impl Variables<'static> {
    pub(crate) fn of_the_process() -> Self {
        Self { read: Box::new(|name| std::env::var(name)), warnings: Vec::new() }
    }
}

impl Variables<'_> {
    pub(crate) fn warn(&mut self, warning: String) {
        // What all signals share is read for each of them.
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// A value without white space around it.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match (self.read)(name) {
            Ok(value) => Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                self.warn(format!("{name} is not UTF-8: ignored"));
                None
            }
        }
    }

    pub(crate) fn is_set(&mut self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// `takes` completes the warning "NAME takes ..".
    pub(crate) fn parsed<T>(&mut self, name: &str, takes: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.text(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.warn(format!("{name} takes {takes}, not `{}`: ignored", shown(&value)));
        }
        parsed
    }

    /// One of some words, in letters of any case, as the specification wants it. `parse` gets small ones.
    pub(crate) fn word<T>(&mut self, name: &str, takes: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.parsed(name, takes, |value| parse(&value.to_ascii_lowercase()))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.word(name, "`true` or `false`", |value| match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    pub(crate) fn boolean(&mut self, name: &str) -> bool {
        self.flag(name).unwrap_or(false)
    }

    pub(crate) fn number(&mut self, name: &str) -> Option<u64> {
        self.parsed(name, "a whole number", |value| value.parse().ok())
    }

    /// Of a queue, whose places are made at once: up to 2^20.
    pub(crate) fn size(&mut self, name: &str) -> Option<usize> {
        let parse = |value: &str| value.parse().ok().filter(|size| (1..=MOST_PLACES).contains(size));
        self.parsed(name, "a whole number from 1 to 1048576", parse)
    }

    pub(crate) fn milliseconds(&mut self, name: &str) -> Option<Duration> {
        self.parsed(name, "milliseconds, a whole number", |value| value.parse().ok().map(Duration::from_millis))
    }

    /// Between two exports: a loop without a pause takes a whole processor.
    pub(crate) fn pause(&mut self, name: &str) -> Option<Duration> {
        let parse = |value: &str| value.parse().ok().filter(|some| *some > 0).map(Duration::from_millis);
        self.parsed(name, "milliseconds, a whole number from 1", parse)
    }
}

/// The beginning of a value, for a message.
pub(crate) fn shown(value: &str) -> String {
    let mut shown: String =
        value.chars().take(SHOWN).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if value.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
impl<'a> Variables<'a> {
    /// Those of a test: processes have one environment for all threads.
    pub(crate) fn given(given: &'a [(&'a str, &'a str)]) -> Self {
        let read = |name: &str| {
            let found = given.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        };
        Self { read: Box::new(read), warnings: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_malformed_is_named_with_what_the_variable_takes() {
        let mut variables =
            Variables::given(&[("SIZE", "many"), ("ZERO", "0"), ("OFF", "yes"), ("EMPTY", " "), ("ON", "TRUE")]);
        assert_eq!((variables.size("SIZE"), variables.size("ZERO"), variables.size("EMPTY")), (None, None, None));
        assert_eq!(
            (variables.boolean("OFF"), variables.boolean("ON"), variables.boolean("UNSET")),
            (false, true, false)
        );
        assert_eq!(variables.milliseconds("SIZE"), None);
        let expected = [
            "SIZE takes a whole number from 1 to 1048576, not `many`: ignored",
            "ZERO takes a whole number from 1 to 1048576, not `0`: ignored",
            "OFF takes `true` or `false`, not `yes`: ignored",
            "SIZE takes milliseconds, a whole number, not `many`: ignored",
        ];
        assert_eq!(variables.into_warnings(), expected);
    }

    #[test]
    fn a_warning_stays_on_one_line_of_bounded_length() {
        let long = format!("a\nb{}", "x".repeat(1000));
        let shown = shown(&long);
        assert!(shown.starts_with("a b") && shown.chars().count() == SHOWN + 1, "{shown}");
    }
}
