//! The order platform from end to end: processes, real brokers, and what arrives over OTLP.
//!
//! One test at a time: they share brokers, and the platform's queues have one name each.

#![allow(clippy::indexing_slicing, reason = "JSON has no index that panics when it is read")]

mod outages;
mod propagation;
mod scene;
mod traces;
