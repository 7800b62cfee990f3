//! One OpenTelemetry trace through Redis, over [redis].
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod addition;
mod attempt;
mod batch;
mod batch_entry;
mod batch_message;
mod body;
mod claim;
mod consumer;
mod destination;
mod entries;
mod entry;
mod error;
mod headers;
mod message;
#[cfg(feature = "tokio")]
mod message_stream;
mod open_entry;
mod open_message;
mod pipeline;
mod producer;
#[cfg(feature = "tokio")]
mod publish;
mod publish_blocking;
mod publisher;
mod reading;
mod republish;
mod rewritten;
mod settlement;
mod source;
mod stream_consumer;
#[cfg(feature = "tokio")]
mod stream_read;
mod stream_read_blocking;
mod stream_source;
#[cfg(feature = "tokio")]
mod subscription;
#[cfg(feature = "tokio")]
mod traced_destination;
mod traced_entry;
#[cfg(feature = "tokio")]
mod xadd;
mod xadd_blocking;

pub use claim::TracedAutoClaim;
pub use consumer::TracedConsumer;
pub use entry::Entry;
pub use headers::{Fields, HeaderExtractor, HeaderInjector};
pub use message::{Message, TracedMessage};
pub use open_entry::OpenEntry;
pub use open_message::OpenMessage;
pub use opentelemetry;
pub use pipeline::TracedPipeline;
pub use producer::TracedProducer;
pub use redis;
pub use stream_consumer::StreamConsumer;
#[cfg(feature = "tokio")]
pub use subscription::Subscription;
#[cfg(feature = "tokio")]
pub use traced_destination::TracedDestination;
pub use traced_entry::TracedEntry;
pub use traced_envelope as envelope;
pub use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, Outcome, Relation, Settings};

/// The telemetry of this crate's scope. A frame of a foreign writer can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("redis", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
