//! What the hops go through.

use test_brokers::{RabbitMq, Redis};
use tokio::try_join;

use crate::{cluster::Cluster, database::Database};

pub(crate) struct Brokers {
    pub(crate) rabbitmq: RabbitMq,
    pub(crate) redis: Redis,
    pub(crate) cluster: Cluster,
    pub(crate) database: Database,
}

impl Brokers {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        println!("demo: waiting for RabbitMQ and Redis");
        let (rabbitmq, redis) = try_join!(RabbitMq::start(), Redis::start())?;
        let brokers = Self { rabbitmq, redis, cluster: Cluster::open()?, database: Database::open().await? };
        let Self { rabbitmq, redis, cluster, database } = &brokers;
        for broker in [rabbitmq.describe(), redis.describe(), &cluster.describe(), &database.describe()] {
            println!("demo: {broker}");
        }
        Ok(brokers)
    }
}
