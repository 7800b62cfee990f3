//! What the services go through.

use std::{mem, sync::Arc, thread, time::Duration};

use anyhow::Result;
use test_brokers::{Kafka, RabbitMq, Redis};
use tokio::try_join;

use super::{cluster::Cluster, interrupt::was_interrupted};

/// A watchdog asks a container to end, and removes it: RabbitMQ takes a few seconds.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A RabbitMQ, a Redis and a Kafka. Those that were started end with the last handle.
#[derive(Debug)]
pub struct Brokers {
    rabbitmq: Arc<RabbitMq>,
    redis: Arc<Redis>,
    kafka: Cluster,
}

impl Brokers {
    /// For the demo: Kafka is the one that `TRACED_KAFKA_URL` names, or else librdkafka's mock cluster, inside this process.
    ///
    /// # Errors
    ///
    /// In one line, what to do where one of them is not to be had.
    pub async fn start() -> Result<Self> {
        let (rabbitmq, redis) = try_join!(RabbitMq::start(), Redis::start())?;
        Ok(Self { rabbitmq: Arc::new(rabbitmq), redis: Arc::new(redis), kafka: Cluster::open()? })
    }

    /// For tests: those that the tests of this process share, and a real Kafka.
    ///
    /// # Errors
    ///
    /// In one line, what to do where one of them is not to be had.
    pub async fn shared() -> Result<Self> {
        let (rabbitmq, redis, kafka) = try_join!(RabbitMq::shared(), Redis::shared(), Kafka::shared())?;
        Ok(Self { rabbitmq, redis, kafka: Cluster::Real(kafka) })
    }

    /// The RabbitMQ.
    #[must_use]
    pub fn rabbitmq(&self) -> &RabbitMq {
        &self.rabbitmq
    }

    /// A line for each of them.
    #[must_use]
    pub fn describe(&self) -> [String; 3] {
        [self.rabbitmq.describe().to_owned(), self.redis.describe().to_owned(), self.kafka.describe()]
    }

    /// The settings of the services that say where they are.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("RABBITMQ_URL", self.rabbitmq.url().to_owned()),
            ("REDIS_URL", self.redis.url().to_owned()),
            ("KAFKA_BROKERS", self.kafka.servers()),
        ]
    }
}

impl Drop for Brokers {
    /// Containers are removed by testcontainers' watchdog where this process was interrupted, and then it ends this process: who comes
    /// second would fail, and who goes first would leave them behind.
    #[allow(clippy::mem_forget, reason = "this process is about to be ended")]
    fn drop(&mut self) {
        if was_interrupted() && (self.rabbitmq.is_container() || self.redis.is_container()) {
            mem::forget((Arc::clone(&self.rabbitmq), Arc::clone(&self.redis)));
            thread::sleep(WATCHDOG);
        }
    }
}
