//! The Kafka of the demo: the one that the environment names, or else librdkafka's mock cluster, which is inside this process: real
//! clients on a real protocol, and nothing to install.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use test_brokers::{Environment, KAFKA};
use traced_kafka::rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{Consumer as _, StreamConsumer},
    error::RDKafkaErrorCode,
    mocking::MockCluster,
    producer::DefaultProducerContext,
};

/// A topic's only one.
pub(crate) const PARTITION: i32 = 0;

const LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Cluster {
    servers: String,
    /// Dropped, it is gone.
    mock: Option<MockCluster<'static, DefaultProducerContext>>,
}

impl Cluster {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let environment = Environment::of_process();
        if let Some(servers) = KAFKA.address(&environment).map_err(|why| anyhow!(why))? {
            return Ok(Self { servers: servers.to_owned(), mock: None });
        }
        let mock = MockCluster::new(1)?;
        Ok(Self { servers: mock.bootstrap_servers(), mock: Some(mock) })
    }

    pub(crate) fn describe(&self) -> String {
        match self.mock {
            Some(_) => format!("Kafka at {}, a mock cluster inside this process", self.servers),
            None => format!("Kafka at {}", self.servers),
        }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        // Sent at once, not after five milliseconds in which others may come.
        config.set("linger.ms", "0");
        config
    }

    pub(crate) async fn create_topic(&self, topic: &str) -> anyhow::Result<()> {
        if let Some(mock) = &self.mock {
            return Ok(mock.create_topic(topic, 1, 1)?);
        }
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let options = AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT));
        let topics = [NewTopic::new(topic, 1, TopicReplication::Fixed(1))];
        match admin.create_topics(&topics, &options).await?.into_iter().next().context("no answer for the topic")? {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
            Err((topic, error)) => bail!("topic {topic}: {error}"),
        }
    }

    /// From the end of a topic: what an earlier demo left in it is not ours. A service would subscribe; to join a group takes the mock
    /// cluster three seconds.
    pub(crate) fn consume(&self, topic: &str) -> anyhow::Result<StreamConsumer> {
        let mut config = self.config();
        config.set("group.id", "traced-demo").set("enable.auto.commit", "false");
        // For so long the mock cluster lets a message lie, once it was asked when there was none.
        config.set("fetch.wait.max.ms", "5");
        let consumer: StreamConsumer = config.create()?;
        let (_, end) = consumer.fetch_watermarks(topic, PARTITION, LIMIT)?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, PARTITION, Offset::Offset(end))?;
        consumer.assign(&from)?;
        Ok(consumer)
    }
}
