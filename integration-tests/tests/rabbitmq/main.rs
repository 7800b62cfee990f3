//! What is RabbitMQ's own, on a real broker. What all brokers have in common is in the conformance suite.

#![allow(missing_docs, reason = "test binary")]

mod attempts;
mod bad_input;
mod batches;
mod channel;
mod confirms;
mod faults;
mod names;
mod open_spans;
mod producer;
mod proxy;
mod pull;
mod republish;
mod request_reply;
mod settlement;
mod shapes;
