//! Real brokers for tests, the demo and benchmarks.
//!
//! A broker comes from the first of these that there is:
//!
//! 1. an address in the environment ([`Kind::url_variable`]);
//! 2. a container, when a Docker engine answers: a client without an engine counts as no Docker;
//! 3. a private process of the server's own program, on loopback, with its data in a temporary directory;
//! 4. otherwise an error of one line that says what to do. It is never a reason to skip a test.
//!
//! `TRACED_BROKERS` set to `address`, `docker` or `local` leaves one way only.
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! let broker = test_brokers::RabbitMq::shared().await?;
//! println!("{}: {}", broker.describe(), broker.url());
//! # Ok(())
//! # }
//! ```
//!
//! Not in it: clients, queues, messages. A new broker is one folder beside `rabbitmq`: its facts ([`Kind`]), and how it is
//! started: its container, its commands, its URL; then it is named in [`KINDS`]. The other files know no broker by name.
#![forbid(unsafe_code)]

mod choice;
mod engine;
mod environment;
mod http;
mod kafka;
mod kind;
mod place;
mod postgres;
mod program;
mod rabbitmq;
mod redis;

#[cfg(feature = "servers")]
mod broker;
#[cfg(feature = "servers")]
mod container;
#[cfg(feature = "servers")]
mod local;
#[cfg(feature = "servers")]
mod port;
#[cfg(feature = "servers")]
mod process;
#[cfg(feature = "servers")]
mod ready;
#[cfg(feature = "servers")]
mod recipe;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod shared;
#[cfg(feature = "servers")]
mod watchdog;

#[cfg(feature = "servers")]
pub use broker::Broker;
pub use choice::{Choice, Way, choose};
pub use engine::Engine;
pub use environment::Environment;
pub use kafka::KAFKA;
#[cfg(feature = "servers")]
pub use kafka::Kafka;
pub use kind::{Kind, Missing, Prepare, Program, Say, Spared};
#[cfg(feature = "servers")]
pub use port::free_port;
pub use postgres::POSTGRES;
#[cfg(feature = "servers")]
pub use postgres::Postgres;
#[cfg(feature = "servers")]
pub use process::Process;
pub use program::find_program;
pub use rabbitmq::RABBITMQ;
#[cfg(feature = "servers")]
pub use rabbitmq::RabbitMq;
pub use redis::{REDIS, REDIS_CLUSTER};
#[cfg(feature = "servers")]
pub use redis::{Redis, RedisCluster};

/// Every kind of broker that there is here: what the tests need.
pub const KINDS: [&Kind; 5] = [&RABBITMQ, &KAFKA, &REDIS, &REDIS_CLUSTER, &POSTGRES];
