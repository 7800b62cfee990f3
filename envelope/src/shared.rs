//! What all messages of a batch have in common.

/// The value that all share; `None` where two differ, and where there is none. In a batch it stands on the span, and what differs on the
/// links, as the conventions for messaging spans want it.
///
/// ```
/// use traced_envelope::shared;
///
/// assert_eq!(shared(["orders", "orders"]), Some("orders"));
/// assert_eq!(shared(["orders", "parcels"]), None);
/// ```
pub fn shared<V: PartialEq>(values: impl IntoIterator<Item = V>) -> Option<V> {
    let mut values = values.into_iter();
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
