//! Background jobs of [apalis](apalis_core) that stay in the OpenTelemetry trace that enqueued them.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod builtin;
mod consumer;
mod destination;
mod enqueued;
mod facts;
mod headers;
mod in_flight;
mod innermost;
mod layer;
mod outcome;
mod producer;
mod running;
mod sink;

pub use apalis_core;
pub use consumer::TracedConsumer;
pub use headers::{HeaderExtractor, HeaderInjector};
pub use layer::{TracedLayer, TracedService};
pub use opentelemetry;
pub use producer::TracedProducer;
pub use traced_envelope as envelope;
pub use traced_envelope::{Outcome, Relation, Settings};

/// The telemetry of this crate's scope.
fn telemetry(system: &'static str, settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped(system, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
}
