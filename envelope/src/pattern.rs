//! Patterns over names, as in `emails.*` or `x-death*`: `*` stands for any run of characters, also an empty one.

/// A pattern over names, as the settings take it for destinations: `*` stands for any run of characters, also an empty one, and
/// everything else for itself.
///
/// ```
/// use traced_envelope::Pattern;
///
/// let emails = Pattern::new("emails.*");
/// assert!(emails.matches("emails.welcome"));
/// assert!(!emails.matches("emails"));
/// ```
#[derive(Clone, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern of this text.
    ///
    /// ```
    /// use traced_envelope::Pattern;
    ///
    /// let created = Pattern::new("orders.*.created");
    /// assert!(created.matches("orders.eu.created") && !created.matches("orders.eu.paid"));
    /// ```
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Headers are compared without regard to case.
    pub(crate) fn lower_case(pattern: impl Into<String>) -> Self {
        Self(pattern.into().to_ascii_lowercase())
    }

    /// Whether all of the name is what the pattern says.
    ///
    /// ```
    /// use traced_envelope::Pattern;
    ///
    /// let orders = Pattern::new("orders");
    /// assert!(orders.matches("orders"));
    /// assert!(!orders.matches("orders.eu") && !orders.matches("Orders"));
    /// ```
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // Linear in `name`: after each `*`, the first place where the next piece fits is the best one.
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some((_, after)) = rest.split_once(piece) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("orders", "orders", true),
            ("orders", "orders.new", false),
            ("orders.*", "orders.new", true),
            ("orders.*", "orders.", true),
            ("orders.*", "orders", false),
            ("*", "", true),
            ("*.created", "order.created", true),
            ("*.created", "created", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }
}
