//! Reading events, Dapr's among them.

use super::{CONTENT_TYPE, DATA, DATA_BASE64, ID, OWN, SOURCE, SPEC_VERSION, TRACEID, TRACEPARENT, TYPE, VERSION};
use super::{content_type, is_extension};
use crate::wire::headers::{Fields, Headers, MOST};
use crate::wire::json_text::{LONGEST, Text, first_member};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// With or without padding: writers differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Headers and payload, unless this is no CloudEvent 1.0: then all of it is the payload.
pub(in crate::wire) fn read(bytes: &[u8]) -> Option<(Headers<'_>, Cow<'_, [u8]>)> {
    first_member(bytes)?;
    let event: Event<'_> = serde_json::from_slice(bytes).ok()?;
    let [version, id, source, kind] = event.required;
    let is_text = |attribute: Option<&RawValue>| attribute.and_then(text).is_some_and(|text| !text.is_empty());
    if text(version?)? != VERSION || !is_text(id) || !is_text(source) || !is_text(kind) {
        return None;
    }
    let payload = match (event.data, event.data_base64) {
        (None, None) => Cow::Borrowed(bytes.get(..0)?),
        (Some(data), None) => data_of(data, event.content_type)?,
        (None, Some(data)) => Cow::Owned(BASE64.decode(&*text(data)?).ok()?),
        // "The presence of the data and data_base64 members is mutually exclusive."
        (Some(_), Some(_)) => return None,
    };
    let mut fields = event.extensions;
    // An empty `traceparent` is Dapr's way to say that there is none, and then its `traceid` is empty too.
    if let Some(parent) = event.trace_id.and_then(text)
        && !fields.iter().any(|(name, value)| name == TRACEPARENT && !value.is_empty())
    {
        fields.push((Cow::Borrowed(TRACEPARENT), parent));
    }
    Some((Headers { fields, ..Headers::default() }, payload))
}

/// JSON as its text; of any other type the string's content, since the string is only how JSON carries it.
fn data_of<'a>(data: &'a RawValue, content_type: Option<&'a RawValue>) -> Option<Cow<'a, [u8]>> {
    let is_json = content_type.and_then(text).is_none_or(|content_type| content_type::is_json(&content_type));
    if is_json || !data.get().starts_with('"') {
        return Some(Cow::Borrowed(data.get().as_bytes()));
    }
    Some(match text(data)? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Text(text)| text)
}

#[derive(Default)]
struct Event<'a> {
    /// Version, id, source and type.
    required: [Option<&'a RawValue>; 4],
    content_type: Option<&'a RawValue>,
    trace_id: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    data_base64: Option<&'a RawValue>,
    extensions: Fields<'a>,
    /// Of the extensions.
    bytes: usize,
}

impl<'a> Event<'a> {
    fn place(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>> {
        let [version, id, source, kind] = &mut self.required;
        Some(match name {
            SPEC_VERSION => version,
            ID => id,
            SOURCE => source,
            TYPE => kind,
            CONTENT_TYPE => &mut self.content_type,
            TRACEID => &mut self.trace_id,
            DATA => &mut self.data,
            DATA_BASE64 => &mut self.data_base64,
            _ => return None,
        })
    }

    /// Keeps an extension that can be a header; those beyond the bounds are left out.
    fn extend(&mut self, name: Cow<'a, str>, value: &'a RawValue) -> Result<(), &'static str> {
        if self.extensions.iter().any(|(earlier, _)| *earlier == name) {
            return Err("an attribute twice");
        }
        let bytes = name.len() + value.get().len();
        let fits = self.extensions.len() < MOST && bytes <= LONGEST.saturating_sub(self.bytes);
        if fits
            && is_extension(&name)
            && let Some(value) = text(value)
        {
            self.bytes += bytes;
            self.extensions.push((name, value));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Event<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Event<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut event = Event::default();
                while let Some(Text(name)) = members.next_key()? {
                    let value: &RawValue = members.next_value()?;
                    match event.place(&name) {
                        Some(Some(_)) => return Err(A::Error::custom("an attribute twice")),
                        // "When a null value is encountered, it MUST be treated as the equivalent of unset"; but data may be null.
                        Some(place) => *place = Some(value).filter(|value| name == DATA || value.get() != "null"),
                        None if OWN.contains(&&*name) => {}
                        None => event.extend(name, value).map_err(A::Error::custom)?,
                    }
                }
                Ok(event)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
