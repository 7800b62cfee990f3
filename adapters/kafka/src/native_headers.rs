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

/// Removes every header of this very name.
pub(crate) fn remove(headers: &mut OwnedHeaders, name: &CStr) {
    // SAFETY: the list is ours alone while `headers` is borrowed mutably, and writable, since no message owns it; librdkafka only reads
    // the name. It answers whether there was one, which does not matter.
    unsafe { bindings::rd_kafka_header_remove(pointer(headers.as_borrowed()), name.as_ptr()) };
}
