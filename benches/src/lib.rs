//! What tracing a message costs, beside what it costs by hand.
//!
//! `cargo bench -p benches --bench overhead` measures producers, consumers, injecting and extracting over a transport that does nothing:
//! instructions (by callgrind, where valgrind is there), times, and allocations. `--bench throughput` measures a real broker. The test
//! `budget` asserts the allocations, which repeat exactly; times are never asserted.
//!
//! Not in it: tests of what the spans say.
#![forbid(unsafe_code)]

// Adapters hide how they describe a message; these files of theirs are used as they are, so that they are measured.
#[path = "../../adapters/rabbitmq/src/attempt.rs"]
mod attempt;
#[path = "../../adapters/rabbitmq/src/destination.rs"]
mod destination;

pub mod budget;
mod by_hand;
pub mod callgrind;
mod carriers;
pub mod scenes;
pub mod sdk;
pub mod table;
pub mod times;
mod traced;

use traced_rabbitmq::HeaderExtractor;
