//! Contexts inside the payload, for transports without headers, such as Redis pub/sub.

mod accepted;
mod binary;
mod cloud_events;
mod form;
mod headers;
mod json;
mod json_text;
mod reader;

pub use accepted::AcceptedForms;
pub use cloud_events::CloudEvents;
pub use form::Form;
pub use reader::Envelope;
