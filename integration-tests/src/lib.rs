//! The conformance suite: what every adapter promises, written once and run by each of them against its real broker.
//!
//! An adapter is described by a [`Transport`]: how to publish, to consume, to hand a message to a handler through the adapter, and how
//! to publish through the bare client. [`conformance!`] then registers every case as a test named by what it proves. What a transport
//! cannot do it says by [`Transport::LACKS`], with the reason, which is printed in the case's place.
//!
//! Not here: what only one broker has. That is in the tests of that broker.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a case that fails panics: that is what cases are for, though they are no `#[test]`s themselves"
)]

mod apalis;
mod bench;
pub mod cases;
mod kafka;
#[path = "../../examples/src/bin/platform/jobs/often.rs"]
mod often;
mod process;
mod rabbitmq;
mod redis_pubsub;
mod redis_streams;
mod register;
mod transport;
mod unique;

pub use apalis::{ApalisTransport, Postgres, Redis, Sqlite, Storage};
pub use bench::{Bench, Seen, soon};
pub use kafka::{KafkaTransport, KeyAndHeaders, create_topic};
pub use often::Often;
pub use process::in_a_process_of_its_own;
pub use rabbitmq::RabbitMqTransport;
pub use redis_pubsub::{Around, RedisPubSubTransport};
pub use redis_streams::{OtherFields, RedisStreamsTransport};
pub use register::run;
pub use transport::{Ability, Arrived, Payload, Settle, Spans, Transport};
pub use unique::unique;
