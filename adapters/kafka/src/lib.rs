//! One OpenTelemetry trace through Kafka, over [rdkafka].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod base_producer;
mod batch;
mod context;
mod delivery_future;
mod destination;
mod error;
mod future_producer;
mod headers;
mod in_flight;
mod native_headers;
mod producer;
mod transaction;

pub use context::{TracedContext, TracedOpaque};
pub use delivery_future::TracedDeliveryFuture;
pub use headers::{HeaderExtractor, HeaderInjector};
pub use opentelemetry;
pub use producer::{TracedDestination, TracedProducer};
pub use rdkafka;
pub use traced_envelope as envelope;
pub use traced_envelope::{Outcome, Relation, Settings};

/// The telemetry of this crate's scope. A record can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("kafka", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
