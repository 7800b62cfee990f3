//! One OpenTelemetry trace through Kafka, over [rdkafka].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt;
mod base_consumer;
mod base_producer;
mod batch;
mod batch_message;
mod consumer;
mod context;
mod delivery_future;
mod destination;
mod error;
mod future_producer;
mod headers;
mod in_flight;
mod message;
mod native_headers;
mod open_message;
mod producer;
mod republish;
mod settlement;
mod source;
mod stream_consumer;
mod transaction;

pub use base_consumer::TracedIter;
pub use consumer::TracedConsumer;
pub use context::{TracedContext, TracedOpaque};
pub use delivery_future::TracedDeliveryFuture;
pub use headers::{HeaderExtractor, HeaderInjector};
pub use message::{NativeMessage, TracedMessage};
pub use open_message::OpenMessage;
pub use opentelemetry;
pub use producer::{TracedDestination, TracedProducer};
pub use rdkafka;
pub use stream_consumer::TracedMessageStream;
pub use traced_envelope as envelope;
pub use traced_envelope::{Outcome, Relation, Settings};

/// The telemetry of this crate's scope. A record can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("kafka", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
