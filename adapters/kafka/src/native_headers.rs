//! librdkafka's header list, read and changed by raw names: the one file with `unsafe` code.
//!
//! rdkafka cannot be used for either. Its iterator calls `to_str().unwrap()` on each key, so that one record with a key that is not
//! UTF-8 panics its consumer; and it appends headers but removes none, so that a record that is sent on would carry two contexts.
//!
//! # Why this is sound
//!
//! - `BorrowedHeaders` is a type without size whose address *is* the native list: rdkafka makes it by casting the `rd_kafka_headers_t`
//!   pointer and casts it back in the same way (rdkafka 0.39, `message.rs`, `BorrowedHeaders::as_native_ptr`). The workspace pins that
//!   minor version, and a test below reads what rdkafka wrote.
//! - A reference to it lives no longer than the list (rdkafka ties it to the message or the owned headers), and librdkafka does not
//!   change a list behind a reference: [`get`] borrows names and values for as long.
//! - Nothing is ever read or written through the reference itself, which spans no bytes: it only carries the address to librdkafka.
//! - Only [`OwnedHeaders`] that are borrowed mutably are changed: nobody else holds a reference into their list then.

#![allow(unsafe_code)]

use rdkafka::bindings;
use rdkafka::error::IsError;
use rdkafka::message::{BorrowedHeaders, OwnedHeaders};
use std::ffi::CStr;
use std::ptr;

fn pointer(headers: &BorrowedHeaders) -> *mut bindings::rd_kafka_headers_t {
    ptr::from_ref(headers).cast_mut().cast()
}

/// The header at an index: its raw name and its value; `None` beyond the last.
pub(crate) fn get(headers: &BorrowedHeaders, index: usize) -> Option<(&CStr, Option<&[u8]>)> {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the list is alive while `headers` is borrowed, and is only read; librdkafka checks the index.
    let error = unsafe {
        bindings::rd_kafka_header_get_all(pointer(headers), index, &raw mut name, &raw mut value, &raw mut size)
    };
    if error.is_error() || name.is_null() {
        return None;
    }
    // SAFETY: librdkafka ends each name with a zero byte and keeps it as long as the list.
    let name = unsafe { CStr::from_ptr(name) };
    let value = if value.is_null() {
        None
    } else {
        // SAFETY: librdkafka keeps `size` bytes at `value` as long as the list.
        Some(unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) })
    };
    Some((name, value))
}

/// Removes every header of this very name; whether there was one.
pub(crate) fn remove(headers: &mut OwnedHeaders, name: &CStr) -> bool {
    // SAFETY: the list is ours alone while `headers` is borrowed mutably, and writable, since no message owns it; librdkafka only reads
    // the name.
    let error = unsafe { bindings::rd_kafka_header_remove(pointer(headers.as_borrowed()), name.as_ptr()) };
    !error.is_error()
}

/// Appends a header of any name: rdkafka's own function takes UTF-8 only.
#[cfg(test)]
pub(crate) fn append(headers: &mut OwnedHeaders, name: &CStr, value: &[u8]) {
    // SAFETY: as in `remove`; librdkafka copies name and value, of which it gets pointer and length, and `-1` measures the name.
    unsafe {
        let (list, value, size) = (pointer(headers.as_borrowed()), value.as_ptr().cast(), value.len());
        bindings::rd_kafka_header_add(list, name.as_ptr(), -1, value, isize::try_from(size).unwrap());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::{Header, Headers};

    /// The cast that everything here stands on: what rdkafka writes and reads is what we read and write.
    #[test]
    fn the_list_is_rdkafkas_own() {
        let mut headers = OwnedHeaders::new()
            .insert(Header { key: "text", value: Some("a") })
            .insert(Header { key: "empty", value: Some("") })
            .insert(Header { key: "null", value: None::<&str> });
        let expected: [(&CStr, Option<&[u8]>); 3] = [(c"text", Some(b"a")), (c"empty", Some(b"")), (c"null", None)];
        for (index, header) in expected.into_iter().enumerate() {
            assert_eq!(get(headers.as_borrowed(), index), Some(header));
        }
        assert_eq!(get(headers.as_borrowed(), expected.len()), None, "beyond the last");
        assert!(remove(&mut headers, c"empty"));
        append(&mut headers, c"late", b"\0\xff");
        let names: Vec<_> = headers.iter().map(|header| (header.key, header.value)).collect();
        assert_eq!(names, [("text", Some(&b"a"[..])), ("null", None), ("late", Some(b"\0\xff"))]);
    }

    #[test]
    fn an_empty_list_has_no_header() {
        assert_eq!(get(OwnedHeaders::new().as_borrowed(), 0), None);
    }

    #[test]
    fn every_header_of_the_name_is_removed_and_an_absent_name_changes_nothing() {
        let mut headers = OwnedHeaders::new();
        for (name, value) in [(c"a", b"1"), (c"b", b"2"), (c"a", b"3"), (c"A", b"4"), (c"\xff", b"5")] {
            append(&mut headers, name, value);
        }
        assert!(!remove(&mut headers, c"absent"));
        assert!(remove(&mut headers, c"a") && remove(&mut headers, c"\xff"));
        let left: Vec<_> = (0..).map_while(|index| get(headers.as_borrowed(), index)).collect();
        assert_eq!(left, [(c"b", Some(&b"2"[..])), (c"A", Some(b"4"))]);
    }

    /// The copy that is written to is not the caller's: a change of one must not show in the other.
    #[test]
    fn a_clone_is_a_list_of_its_own() {
        let given = OwnedHeaders::new().insert(Header { key: "a", value: Some("1") });
        let mut copy = given.clone();
        assert!(remove(&mut copy, c"a"));
        assert_eq!(get(copy.as_borrowed(), 0), None);
        assert_eq!(get(given.as_borrowed(), 0), Some((c"a", Some(&b"1"[..]))));
    }
}
