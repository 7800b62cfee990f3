//! What is published, and how it goes into its envelope.

use redis::{ErrorKind, RedisError, RedisResult};
use serde_core::Serialize;
use traced_envelope::{Envelope, Form, MessageHeaders};

/// A message in two parts, of which the second follows the first.
pub(crate) type Parts<'p> = (Vec<u8>, &'p [u8]);

/// A payload on its way into its envelope.
pub(crate) trait Body {
    /// Its size, where it is known before it is written.
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
#[derive(Clone, Copy)]
pub(crate) struct Json<'p, T: ?Sized>(pub(crate) &'p T);

impl<T: Serialize + ?Sized> Body for Json<'_, T> {
    /// Only its text has one.
    fn size(&self) -> Option<usize> {
        None
    }

    fn encode(&self, form: &Form, headers: &MessageHeaders) -> RedisResult<Parts<'_>> {
        let text = match form {
            Form::Bare => serde_json::to_vec(self.0),
            _ => Envelope::encode_json(headers, self.0),
        };
        text.map(|text| (text, [].as_slice())).map_err(|error| no_json(&error))
    }
}

/// As an error of redis, which is what publishing fails with.
fn no_json(error: &serde_json::Error) -> RedisError {
    RedisError::from((ErrorKind::Client, "the payload has no JSON", error.to_string()))
}
