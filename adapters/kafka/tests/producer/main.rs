//! Producers against librdkafka's in-process cluster, which speaks Kafka's protocol over loopback.

mod batches;
mod callbacks;
mod cluster;
mod contexts;
mod endings;
mod failures;
mod metrics;
mod sending;
mod transactions;
