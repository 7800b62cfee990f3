//! What tracing a message costs, beside what it costs by hand.
//!
//! `cargo bench -p benches --bench overhead` measures producers, consumers, injecting and extracting over a transport that does nothing:
//! instructions (by callgrind, where valgrind is there), times, and allocations. `--bench throughput` measures a real broker. The test
//! `budget` asserts the allocations, which repeat exactly; times are never asserted.
//!
//! A file for each transport, which measures the adapter's own steps (its module `bench`) over a transport that does nothing.
//!
//! Not in it: tests of what the spans say.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod apalis;
pub mod budget;
pub mod callgrind;
mod contexts;
mod kafka;
mod rabbitmq;
mod redis;
pub mod scene;
pub mod sdk;
pub mod suite;
pub mod table;
pub mod times;
mod wire;
