//! What every traced message queue has in common.
//!
//! Adapters such as `traced-rabbitmq` keep one OpenTelemetry trace alive through a queue. What is the same for all of them is here:
//! how contexts are written and read ([`propagation`]), how spans relate to each other ([`Relation`]), which names they have
//! ([`semconv`]), when they end ([`MessageSpan`]), and what an application may choose of all that ([`Settings`]). Not here: a broker
//! client, an exporter, a runtime. The only public traits are OpenTelemetry's own.
//!
//! An application that uses an adapter needs [`Settings`] and, in its tests, [`testing`]. Adapters, and applications whose transport
//! has none, use [`Telemetry`]:
//!
//! ```
//! use traced_envelope::{MessageHeaders, Operation, Telemetry, testing::Capture};
//!
//! # futures_util::FutureExt::now_or_never(async {
//! let capture = Capture::new();
//! let shop = Telemetry::new("nats", &capture.settings("shop"));
//! let warehouse = Telemetry::new("nats", &capture.settings("warehouse"));
//!
//! let mut headers = MessageHeaders::new();
//! let span = shop.send(Operation::new("publish", "orders"), &mut headers);
//! span.run(async { Ok::<_, std::fmt::Error>(()) }).await?; // the client's call, with `headers`
//!
//! let span = warehouse.process(Operation::new("process", "orders"), &headers);
//! span.run(async { Ok::<_, std::fmt::Error>(()) }).await?; // the handler
//!
//! capture.assert_trace(
//!     "
//!     publish orders        shop       PRODUCER
//!     └─ process orders     warehouse  CONSUMER  → publish orders
//!     ",
//! );
//! # Ok::<_, std::fmt::Error>(()) }).unwrap().unwrap();
//! ```
//!
//! # When spans start and end
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`Telemetry::send`] | `publish orders`, PRODUCER | before the context is injected | with the broker's answer |
//! | [`Telemetry::create`] | `create orders`, PRODUCER | one for each message of a batch | at once |
//! | [`Telemetry::receive`] | `poll orders`, CLIENT | opt-in; when the pull began | when it returned |
//! | [`Telemetry::process`] | `process orders`, CONSUMER | with the handler | when it returns, fails, panics or is dropped |
//! | [`Telemetry::settle`] | `ack orders`, CLIENT | opt-in; before the call | when it returned |
//! | [`Telemetry::transaction`] | `transaction`, INTERNAL | with the begin | with commit or abort |
//!
//! # Features
//!
//! `internal-logs`, the one that is on by default: one warning, a `tracing` event, when the first messages saw no SDK. `testing`: the in-memory capture of [`testing`], the one place that depends on the SDK. `tracing`: process
//! spans are opened as `tracing` spans, so that bare `tracing` events land on them. `logs`: failures as log events. `payload-envelope`:
//! contexts inside the payload, for transports without headers; an adapter that needs it switches it on.
//!
//! # Limits
//!
//! Whoever puts `opentelemetry` of another release into the application has two sets of process-wide providers, and sees no span:
//! [`Telemetry::status`] tells. Use the one that this crate re-exports.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ambient;
mod anonymous;
mod attributes;
mod baggage_policy;
mod batch;
mod destination;
mod destinations;
#[cfg(feature = "logs")]
mod exception_log;
mod existing;
mod fact;
mod header_capture;
mod interned;
mod links;
mod message;
mod message_counts;
mod message_headers;
mod message_key;
mod message_span;
mod metrics;
mod missing_contexts;
mod open_spans;
mod operation;
mod operation_type;
mod outcome;
mod pattern;
mod policies;
pub mod propagation;
mod propagators;
mod receiving;
mod relation;
mod running;
pub mod semconv;
mod sending;
mod settings;
mod settling;
mod shared;
mod status;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod tracer;
#[cfg(feature = "tracing")]
mod tracing_span;
mod transaction;
#[cfg(feature = "payload-envelope")]
mod wire;

pub use anonymous::is_anonymous;
pub use baggage_policy::BaggagePolicy;
pub use destination::{Destination, PreparedDestination};
pub use existing::Existing;
pub use fact::Fact;
pub use message::Message;
pub use message_headers::MessageHeaders;
pub use message_span::MessageSpan;
pub use missing_contexts::MissingContexts;
pub use open_spans::{OpenSpans, Ticket};
pub use opentelemetry;
pub use operation::{Operation, Where};
pub use outcome::Outcome;
pub use pattern::Pattern;
pub use policies::{ExistingContext, Propagation, Trust};
pub use relation::Relation;
pub use semconv::SemConv;
pub use settings::Settings;
pub use shared::shared;
pub use status::Status;
pub use telemetry::Telemetry;
#[cfg(feature = "payload-envelope")]
pub use wire::{AcceptedForms, CloudEvents, Envelope, Form};
