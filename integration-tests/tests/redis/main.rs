//! What is Redis' own, on a real server. What all brokers have in common is in the conformance suite.

#![allow(missing_docs, reason = "test binary")]

mod bad_input;
mod batches;
mod cluster;
mod connections;
mod endings;
mod fan_out;
mod forms;
mod lost_connections;
mod names;
mod pipelines;
mod restarts;
mod server;
mod streams;
mod streams_adding;
mod streams_bad_input;
mod streams_blocking;
mod streams_claims;
mod streams_failures;
mod streams_pipelines;
mod streams_pulled;
mod streams_reading;
mod streams_republish;
mod subscriptions;
mod transactions;
