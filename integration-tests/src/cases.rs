//! The cases, by what they are about. Each is generic over the transport, and named by what it proves.

pub mod arrivals;
pub mod baggage;
pub mod batches;
pub mod concurrency;
pub mod conventions;
pub mod endings;
pub mod globals;
pub mod headers;
pub mod propagators;
pub mod relations;
pub mod restart;
pub mod sampling;
pub mod trace;
