//! Consuming, against librdkafka's in-process mock cluster.

mod bad_headers;
mod batches;
mod cluster;
mod process;
mod raw_headers;
mod rebalance;
mod republish;
mod settling;
