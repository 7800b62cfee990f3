//! The binary frame. Integers are big-endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic `F5 54 52 43` |
//! | 4 | 1 | version, `01` |
//! | 5 | 1 | flags, `00`; readers ignore those that they do not know |
//! | 6 | 2 | N, length of the header block |
//! | 8 | N | repeated: name length (1), name, value length (2), value |
//! | 8 + N | | payload, to the end |
//!
//! Versions above 1 keep the offsets 0 to 7, so that a reader of this one can skip their block and still find the payload.

use super::headers::{Headers, entry_len, sendable};
use crate::MessageHeaders;

/// `0xF5` is in no UTF-8 text, so no payload that is text is taken for a frame.
const MAGIC: [u8; 4] = *b"\xF5TRC";
const VERSION: u8 = 1;
const FLAGS: u8 = 0;
const PREFIX: usize = 8;

pub(super) fn write(headers: &MessageHeaders, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(headers, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// What goes before the payload, with room for so many bytes after it.
pub(super) fn head(headers: &MessageHeaders, room: usize) -> Vec<u8> {
    let block = sendable(headers).map(|(name, value)| entry_len(name, value)).sum::<usize>();
    let mut frame = Vec::with_capacity(PREFIX + block + room);
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&[VERSION, FLAGS]);
    frame.extend_from_slice(&length(block));
    for (name, value) in sendable(headers) {
        let [_, name_length] = length(name.len());
        frame.push(name_length);
        frame.extend_from_slice(name.as_bytes());
        frame.extend_from_slice(&length(value.len()));
        frame.extend_from_slice(value.as_bytes());
    }
    frame
}

/// Two bytes, which hold every length that `sendable` lets through.
fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Headers and payload, unless the bytes are no frame: then all of them are the payload.
pub(super) fn read(bytes: &[u8]) -> Option<(Headers<'_>, &[u8])> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let [version @ VERSION..=u8::MAX, _flags, high, low, rest @ ..] = rest else {
        return None;
    };
    let (block, payload) = rest.split_at_checked(u16::from_be_bytes([*high, *low]).into())?;
    if *version > VERSION {
        return Some((Headers::default(), payload));
    }
    let mut entries = Entries(block);
    entries.by_ref().for_each(drop);
    entries.0.is_empty().then(|| (Headers { block, ..Headers::default() }, payload))
}

/// Names and values of a header block, in place. It ends at an entry that is cut off, and keeps the rest.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.0 = rest;
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 26] = [
        0xF5, 0x54, 0x52, 0x43, 0x01, 0x00, 0x00, 0x0B, // magic, version, flags, length of the block
        0x02, b'b', b'3', 0x00, 0x01, b'0', // name length, name, value length, value
        0x01, b'x', 0x00, 0x01, b'y', //
        b'p', b'a', b'y', b'l', b'o', b'a', b'd',
    ];

    fn with(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut frame = GOLDEN.to_vec();
        changes.iter().for_each(|(offset, byte)| frame[*offset] = *byte);
        frame
    }

    type Opened<'a> = (Vec<(&'a str, &'a str)>, &'a [u8]);

    fn opened(bytes: &[u8]) -> Option<Opened<'_>> {
        let (headers, payload) = read(bytes)?;
        let text = |bytes| str::from_utf8(bytes).unwrap();
        Some((Entries(headers.block).map(|(name, value)| (text(name), text(value))).collect(), payload))
    }

    #[test]
    fn a_frame_is_written_to_the_byte() {
        let headers: MessageHeaders = [("b3", "0"), ("x", "y")].into_iter().collect();
        assert_eq!(write(&headers, b"payload"), GOLDEN);
        assert_eq!(opened(&GOLDEN), Some((vec![("b3", "0"), ("x", "y")], b"payload".as_slice())));
        assert_eq!(write(&MessageHeaders::new(), b""), [0xF5, 0x54, 0x52, 0x43, 0x01, 0x00, 0x00, 0x00]);
    }

    #[test]
    fn flags_that_are_not_known_change_nothing() {
        for flags in [0x01, 0x80, 0xFF] {
            assert_eq!(opened(&with(&[(5, flags)])), opened(&GOLDEN));
        }
    }

    #[test]
    fn a_later_version_s_block_is_skipped_whatever_it_holds() {
        for version in [2, 0x7F, 0xFF] {
            let later = with(&[(4, version), (8, 0xFF)]);
            assert_eq!(opened(&later), Some((vec![], b"payload".as_slice())), "{version}");
        }
    }

    #[test]
    fn what_is_no_frame_is_a_payload() {
        let table: [(&str, &[u8]); 11] = [
            ("empty", b""),
            ("text", b"hello"),
            ("the magic alone", b"\xF5TRC"),
            ("no flags", b"\xF5TRC\x01"),
            ("cut off in the length", b"\xF5TRC\x01\x00\x00"),
            ("other magic", b"\xF5TRD\x01\x00\x00\x00"),
            ("version 0", &with(&[(4, 0)])),
            ("a block longer than all", &with(&[(6, 0xFF)])),
            ("a later version's block longer than all", &with(&[(4, 2), (6, 0xFF)])),
            ("a name longer than the block", &with(&[(8, 0xFF)])),
            ("a value longer than the block", &with(&[(12, 0xFF)])),
        ];
        for (case, bytes) in table {
            assert_eq!(opened(bytes), None, "{case}");
        }
        // An entry that ends behind the block, a block that ends within an entry.
        for length in [1, 2, 3, 4, 5, 7, 8, 9, 10, 12] {
            assert_eq!(opened(&with(&[(7, length)])), None, "{length}");
        }
        assert_eq!(opened(&with(&[(7, 6)])), Some((vec![("b3", "0")], b"\x01x\0\x01ypayload".as_slice())));
    }
}
