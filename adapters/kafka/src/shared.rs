//! What all messages of a batch, or all offsets of a commit, have in common: it stands on the span.

/// The value that all share; `None` where two differ, and where there is none.
pub(crate) fn shared<V: PartialEq>(mut values: impl Iterator<Item = V>) -> Option<V> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_same_everywhere_is_shared() {
        for (values, expected) in [(&[][..], None), (&[7], Some(7)), (&[7, 7, 7], Some(7)), (&[7, 7, 8], None)] {
            assert_eq!(shared(values.iter().copied()), expected, "{values:?}");
        }
    }
}
