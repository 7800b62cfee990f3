//! An OTLP endpoint on loopback that keeps what it gets, for tests and the demo.
//!
//! It speaks OTLP over HTTP, as protobuf or JSON, and takes traces, metrics and logs. Spans come out as [`CapturedSpan`], so that
//! what is there for spans in memory, [`Forest`] with its assertions and its pictures, is there for those that really travelled.
//!
//! ```
//! use test_collector::Collector;
//!
//! # fn main() -> std::io::Result<()> {
//! let collector = Collector::start()?;
//! // OTEL_EXPORTER_OTLP_ENDPOINT of the services under test:
//! assert!(collector.endpoint().starts_with("http://127.0.0.1:"));
//! assert_eq!(collector.received().spans().len(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! Not in it: OTLP over gRPC, compression, TLS.
//!
//! [`CapturedSpan`]: traced_envelope::testing::CapturedSpan
//! [`Forest`]: traced_envelope::testing::Forest
#![forbid(unsafe_code)]

mod answers;
mod collector;
mod connection;
mod export;
mod http;
mod received;
mod span;
mod waiting;

pub use answers::Answers;
pub use collector::{Collector, unreachable};
pub use export::{Export, Signal};
pub use opentelemetry_proto;
pub use received::Received;
pub use waiting::TimedOut;
