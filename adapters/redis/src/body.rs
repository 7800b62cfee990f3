//! What is published, and how it goes into its envelope.

use redis::{ErrorKind, RedisError, RedisResult};
use serde_core::Serialize;
use serde_json::value::RawValue;
use traced_envelope::{Envelope, Form, MessageHeaders};

/// A message in two parts, of which the second follows the first.
pub(crate) type Parts<'p> = (Vec<u8>, &'p [u8]);

/// A payload on its way into its envelope.
pub(crate) trait Body {
    /// Its size; `None` where it cannot be written.
    fn size(&self) -> Option<usize>;

    fn encode(&self, form: &Form, headers: &MessageHeaders) -> RedisResult<Parts<'_>>;
}

/// Bytes as they are, in the form that the producer was made with.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'p>(pub(crate) &'p [u8]);

impl Body for Bytes<'_> {
    fn size(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn encode(&self, form: &Form, headers: &MessageHeaders) -> RedisResult<Parts<'_>> {
        Ok(form.encode_parts(headers, self.0))
    }
}

/// A value in the JSON form, which is its own: of the producer's form only "no envelope" is heard.
///
/// It is written before the span starts, whose context comes around it: so the span knows its size, and a future that sends it does not
/// hold the value, which need not be `Sync`.
pub(crate) struct Json(serde_json::Result<Box<RawValue>>);

impl Json {
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(serde_json::value::to_raw_value(value))
    }
}

impl Body for Json {
    fn size(&self) -> Option<usize> {
        self.0.as_ref().ok().map(|text| text.get().len())
    }

    fn encode(&self, form: &Form, headers: &MessageHeaders) -> RedisResult<Parts<'_>> {
        let text = self.0.as_ref().map_err(no_json)?;
        Ok(match form {
            Form::Bare => (Vec::new(), text.get().as_bytes()),
            _ => (Envelope::encode_raw_json(headers, text), &[]),
        })
    }
}

/// As an error of redis, which is what publishing fails with.
fn no_json(error: &serde_json::Error) -> RedisError {
    RedisError::from((ErrorKind::Client, "the payload has no JSON", error.to_string()))
}
