//! The headers that an envelope holds, as they are: nothing is copied that needs no decoding.

use super::binary::Entries;
use crate::MessageHeaders;
use std::borrow::Cow;

/// As many headers as are written or looked at: propagators write up to five, and who fills a frame with more means harm.
pub(super) const MOST: usize = 64;

/// All headers of a message in the binary frame, whose length field has two bytes. The other forms keep to it, so that a message can
/// change its form without losing headers.
const MOST_BYTES: usize = u16::MAX as usize;

pub(super) type Fields<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// A binary frame's block, read where it lies, or members of a JSON object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Headers<'a> {
    pub(super) block: &'a [u8],
    pub(super) fields: Fields<'a>,
}

impl Headers<'_> {
    /// Those that are text and not empty: an empty `traceparent` is how Dapr says that there is none.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter_map(|(name, value)| Some((name, str::from_utf8(value).ok()?)))
    }

    /// The names of those that are not empty, also where the value is no text: a context is there then, though nobody can read it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all().map(|(name, _)| name)
    }

    fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let block =
            Entries(self.block).take(MOST).filter_map(|(name, value)| Some((str::from_utf8(name).ok()?, value)));
        let fields = self.fields.iter().map(|(name, value)| (&**name, value.as_bytes()));
        block.chain(fields).filter(|(name, value)| !name.is_empty() && !value.is_empty())
    }
}

/// The bytes of a header in the binary frame.
pub(super) fn entry_len(name: &str, value: &str) -> usize {
    1 + name.len() + 2 + value.len()
}

/// The headers that can be sent: one of each name, the first; whole ones only. What does not fit is left out, since half a
/// `tracestate` would be another one.
pub(super) fn sendable(headers: &MessageHeaders) -> impl Iterator<Item = (&str, &str)> {
    let mut room = MOST_BYTES;
    let fits = move |name: &str, value: &str| {
        let len = entry_len(name, value);
        let fits = !name.is_empty() && !value.is_empty() && name.len() <= usize::from(u8::MAX) && len <= room;
        if fits {
            room -= len;
        }
        fits
    };
    let first =
        |index: usize, name: &str| !headers.iter().take(index).any(|(earlier, _)| earlier.eq_ignore_ascii_case(name));
    let headers = headers.iter().enumerate().filter(move |(index, (name, _))| first(*index, name));
    let mut fits = fits;
    headers.map(|(_, header)| header).filter(move |(name, value)| fits(name, value)).take(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_what_comes_behind_it_is_not() {
        let long = "n".repeat(256);
        let huge = "v".repeat(65536);
        let half = "h".repeat(40000);
        let headers: MessageHeaders = [
            (long.as_str(), "1"),
            ("huge", &huge),
            ("half", &half),
            ("second-half", &half),
            ("", "nameless"),
            ("empty", ""),
            ("traceparent", "t"),
        ]
        .into_iter()
        .collect();
        assert_eq!(sendable(&headers).map(|(name, _)| name).collect::<Vec<_>>(), ["half", "traceparent"]);
    }

    #[test]
    fn a_name_is_sent_once_and_their_number_is_bounded() {
        let mut headers: MessageHeaders = [("a", "1"), ("A", "2")].into_iter().collect();
        assert_eq!(sendable(&headers).collect::<Vec<_>>(), [("a", "1")]);
        for number in 0..100 {
            headers.append(format!("x-{number}"), "1");
        }
        assert_eq!(sendable(&headers).count(), MOST);
    }

    #[test]
    fn the_whole_block_can_be_filled_and_not_a_byte_more() {
        let exact = "v".repeat(65535 - 4);
        let headers: MessageHeaders = [("a", exact.as_str())].into_iter().collect();
        assert_eq!(sendable(&headers).count(), 1);
        let headers: MessageHeaders = [("ab", exact.as_str())].into_iter().collect();
        assert_eq!(sendable(&headers).count(), 0);
    }
}
