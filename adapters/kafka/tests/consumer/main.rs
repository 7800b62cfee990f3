//! Consuming, against librdkafka's in-process mock cluster.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy.toml's exceptions for tests do not reach the functions that tests share"
)]

mod bad_headers;
mod batches;
mod cluster;
mod endings;
mod metrics;
mod process;
mod raw_headers;
mod rebalance;
mod republish;
mod settling;
