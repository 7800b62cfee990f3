//! JSON strings and objects of strings, borrowed from the text where they hold no escapes.

use super::headers::{Fields, MOST, sendable};
use crate::MessageHeaders;
use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_core::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::{fmt, io};

/// Header objects beyond this are not read: six bytes for each that a frame may hold, for escapes, and room for white space.
pub(super) const LONGEST: usize = 8 * 64 * 1024;

/// A JSON string. Serde's `Cow` would be a copy each time.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// An object that holds strings only, no more than propagators write, and each name once.
#[derive(Debug)]
pub(super) struct Strings<'a>(pub(super) Fields<'a>);

impl<'de> Deserialize<'de> for Strings<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Strings<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::new();
                while let Some((Text(name), Text(value))) = members.next_entry()? {
                    if fields.len() == MOST || fields.iter().any(|(earlier, _)| *earlier == name) {
                        return Err(A::Error::custom("too many, or one twice"));
                    }
                    fields.push((name, value));
                }
                Ok(Strings(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The headers as an object.
#[derive(Clone, Copy)]
pub(super) struct Object<'a>(pub(super) &'a MessageHeaders);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(sendable(self.0))
    }
}

/// Serialises into a vector of the exact capacity: a first pass only counts. For what holds the payload as bytes or text, so that
/// both passes do no more than copy.
pub(super) fn to_exact_vec(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(len(value)?);
    serde_json::to_writer(&mut text, value)?;
    Ok(text)
}

/// How long the JSON text will be.
pub(super) fn len(value: &impl Serialize) -> serde_json::Result<usize> {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value)?;
    Ok(count.0)
}

/// What stands behind the first quote of an object, if this begins as one with members: most payloads are told from an envelope here.
pub(super) fn first_member(bytes: &[u8]) -> Option<&[u8]> {
    bytes.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")
}
