//! What is Kafka's own, on a real broker. What all brokers have in common is in the conformance suite, and what librdkafka's mock
//! cluster can show is in the tests of `traced-kafka`.

#![allow(missing_docs, reason = "test binary")]

mod cluster;
mod faults;
mod rebalance;
