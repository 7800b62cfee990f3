//! One OpenTelemetry trace through Redis, over [redis].
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod consumer;
mod destination;
mod error;
mod producer;
mod source;

pub use consumer::TracedConsumer;
pub use opentelemetry;
pub use producer::TracedProducer;
pub use redis;
pub use traced_envelope as envelope;
pub use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, Outcome, Relation, Settings};

/// The telemetry of this crate's scope. A frame of a foreign writer can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("redis", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
