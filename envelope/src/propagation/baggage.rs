//! The `baggage` header: reading what every language writes, writing what every language reads.

use opentelemetry::baggage::Baggage;

use super::trim_ows;
use crate::BaggagePolicy;

/// "A platform MUST propagate a baggage-string of at least 8192 bytes": more is not read.
const MAX_BYTES: usize = 8192;

/// Reads the values of all `baggage` headers of a message as one list; `None` if it holds nothing.
///
/// A member that is malformed or that the policy keeps out is left out alone. Members that reach
/// beyond the 8192nd byte are not looked at. Of members with the same key the last one holds.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>, policy: &BaggagePolicy) -> Option<Baggage> {
    let mut baggage = Baggage::new();
    let (mut seen, mut kept) = (0, 0);
    let members = headers.flat_map(|header| header.split(','));
    for (index, text) in members.enumerate() {
        seen += text.len() + usize::from(index > 0);
        if seen > MAX_BYTES {
            break;
        }
        let text = trim_ows(text);
        let Some((key, value, properties)) = split(text).filter(|member| policy.allows(member.0)) else {
            continue;
        };
        let bytes = kept + text.len() + usize::from(kept > 0);
        let fits = policy.has_room(baggage.len() + 1, bytes)
            || policy.has_room(baggage.len(), bytes) && baggage.get(key).is_some();
        if fits {
            baggage.insert_with_metadata(key.to_owned(), decode(value), normalised(properties));
            kept = bytes;
        }
    }
    (!baggage.is_empty()).then_some(baggage)
}

/// The header for the members that the policy lets out; `None` if there are none.
///
/// They are sorted by key, so that the same baggage makes the same message: the API's map has no order.
pub(super) fn format(baggage: &Baggage, policy: &BaggagePolicy) -> Option<String> {
    if baggage.is_empty() {
        return None;
    }
    let selection = policy.select(baggage);
    let mut header = String::with_capacity(selection.bytes());
    for (key, value, metadata) in selection.members() {
        if !header.is_empty() {
            header.push(',');
        }
        header.push_str(key);
        header.push('=');
        encode(value, is_unreserved, &mut header);
        for (name, value) in properties(metadata) {
            header.push(';');
            encode(name, is_octet, &mut header);
            if let Some(value) = value {
                header.push('=');
                encode(value, is_octet, &mut header);
            }
        }
    }
    (!header.is_empty()).then_some(header)
}

/// The bytes that a member takes in the header that [`format()`] writes.
pub(crate) fn member_len(key: &str, value: &str, metadata: &str) -> usize {
    let properties = properties(metadata).map(|(name, value)| {
        let value = value.map_or(0, |value| 1 + encoded_len(value, is_octet));
        1 + encoded_len(name, is_octet) + value
    });
    key.len() + 1 + encoded_len(value, is_unreserved) + properties.sum::<usize>()
}

/// Splits a member into key, value and properties. A second `=` is part of the value: "Parsers MUST
/// NOT assume that the equal sign is only used to separate key and value."
fn split(member: &str) -> Option<(&str, &str, &str)> {
    let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
    let (key, value) = pair.split_once('=')?;
    let key = trim_ows(key);
    // The API would refuse it as well, but only after the value was decoded.
    is_token(key).then_some((key, trim_ows(value), properties))
}

/// The properties of a member, without the spaces that may stand around `;` and `=`.
fn properties(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let properties = text.split(';').map(trim_ows);
    properties.filter(|property| !property.is_empty()).map(|property| match property.split_once('=') {
        Some((name, value)) => (trim_ows(name), Some(trim_ows(value))),
        None => (property, None),
    })
}

/// The properties as the API's metadata, not decoded: a property without a value is no encoded text,
/// and what is not decoded cannot be encoded wrongly on the way out.
fn normalised(text: &str) -> String {
    let mut metadata = String::with_capacity(text.len());
    for (name, value) in properties(text) {
        if !metadata.is_empty() {
            metadata.push(';');
        }
        metadata.push_str(name);
        if let Some(value) = value {
            metadata.push('=');
            metadata.push_str(value);
        }
    }
    metadata
}

/// Decodes `%XX`; a bad escape stays as it is, bytes that are no UTF-8 become U+FFFD.
///
/// A `+` is a plus, as the W3C's grammar and Go have it, unless the value holds a `%2B` too: one writer wrote the whole value, and one
/// that escapes a plus does not also leave it bare. Then it is Python's, which writes a space so, as HTML forms do. Java and Node
/// escape both and write no `+` at all. A value of Python's with spaces but without a plus cannot be told from Go's.
fn decode(value: &str) -> String {
    if !value.contains('%') {
        return value.to_owned();
    }
    let plus_is_space = value.contains('+') && (value.contains("%2B") || value.contains("%2b"));
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, tail @ ..] => hex(*high, *low).map(|byte| (byte, tail)),
            _ => None,
        };
        let bare = if *first == b'+' && plus_is_space { b' ' } else { *first };
        let (byte, tail) = escaped.unwrap_or((bare, tail));
        bytes.push(byte);
        rest = tail;
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

fn encode(text: &str, keep: fn(u8) -> bool, header: &mut String) {
    let digit = |nibble: u8| char::from(nibble + if nibble < 10 { b'0' } else { b'A' - 10 });
    for byte in text.bytes() {
        if keep(byte) {
            header.push(char::from(byte));
        } else {
            header.push('%');
            header.push(digit(byte >> 4));
            header.push(digit(byte & 0x0f));
        }
    }
}

fn encoded_len(text: &str, keep: fn(u8) -> bool) -> usize {
    text.bytes().map(|byte| if keep(byte) { 1 } else { 3 }).sum()
}

/// RFC 3986, 2.3. Baggage allows far more to stand unencoded, and every one of those characters is
/// read wrongly somewhere: `+` by Python, a bare `%` by Go and Node, `=` by the Rust SDK.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// `baggage-octet`: what a property may hold as it is. An application's metadata may hold anything,
/// and a comma in it would make one member into two.
fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

/// RFC 7230, 3.2.6.
fn is_token(key: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !key.is_empty() && key.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests;
