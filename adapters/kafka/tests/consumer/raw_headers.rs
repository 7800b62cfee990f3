//! Headers with names that are no text: rdkafka can neither write nor read them.
#![allow(unsafe_code)]

use rdkafka::bindings::{rd_kafka_header_add, rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_resp_err_t};
use rdkafka::message::{BorrowedHeaders, OwnedHeaders};
use std::ffi::CStr;
use std::{ptr, slice};

fn native(headers: &BorrowedHeaders) -> *mut rd_kafka_headers_t {
    ptr::from_ref(headers).cast_mut().cast()
}

pub(crate) fn list(headers: &[(&[u8], Option<&[u8]>)]) -> OwnedHeaders {
    let list = OwnedHeaders::new();
    for (name, value) in headers {
        let (bytes, size) = value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
        let (length, size) = (name.len().try_into().unwrap(), size.try_into().unwrap());
        // SAFETY: the list is ours alone; librdkafka copies name and value.
        unsafe { rd_kafka_header_add(native(list.as_borrowed()), name.as_ptr().cast(), length, bytes.cast(), size) };
    }
    list
}

pub(crate) fn all(headers: &BorrowedHeaders) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the list is only read, and lives as long as `headers`; librdkafka ends names with a zero byte.
    unsafe {
        while rd_kafka_header_get_all(native(headers), all.len(), &raw mut name, &raw mut value, &raw mut size)
            == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
            all.push((CStr::from_ptr(name).to_bytes().to_vec(), value));
        }
    }
    all
}
