//! The cases, by what they are about. Each is generic over the transport, and named by what it proves.

pub mod arrivals;
pub mod batches;
pub mod concurrency;
pub mod endings;
pub mod headers;
pub mod trace;
