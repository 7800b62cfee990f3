//! One OpenTelemetry trace through Redis, over [redis].
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod batch_message;
mod body;
mod consumer;
mod destination;
mod error;
mod message;
#[cfg(feature = "tokio")]
mod message_stream;
mod open_message;
mod pipeline;
mod producer;
#[cfg(feature = "tokio")]
mod publish;
mod publish_blocking;
mod publisher;
mod rewritten;
mod source;
#[cfg(feature = "tokio")]
mod subscription;
#[cfg(feature = "tokio")]
mod traced_destination;

pub use consumer::TracedConsumer;
pub use message::{Message, TracedMessage};
pub use open_message::OpenMessage;
pub use opentelemetry;
pub use pipeline::TracedPipeline;
pub use producer::TracedProducer;
pub use redis;
#[cfg(feature = "tokio")]
pub use subscription::Subscription;
#[cfg(feature = "tokio")]
pub use traced_destination::TracedDestination;
pub use traced_envelope as envelope;
pub use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, Outcome, Relation, Settings};

/// The telemetry of this crate's scope. A frame of a foreign writer can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("redis", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
