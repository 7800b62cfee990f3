//! What is Redis' own, on a real server. What all brokers have in common is in the conformance suite.

#![allow(missing_docs, reason = "test binary")]

mod bad_input;
mod batches;
mod connections;
mod endings;
mod forms;
mod lost_connections;
mod names;
mod pipelines;
mod server;
mod subscriptions;
mod transactions;
