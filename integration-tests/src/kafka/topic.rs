//! Topics to test with.

use anyhow::{Context as _, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use std::time::Duration;
use test_brokers::Kafka;

/// For what the broker answers at once, if it is there.
const ANSWER: Duration = Duration::from_secs(5);

/// Makes a topic with this many partitions, unless it is there; it is gone with the broker.
///
/// # Errors
///
/// The broker's, also when it does not answer within seconds.
pub async fn create_topic(broker: &Kafka, topic: &str, partitions: i32) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
    match admin.create_topics(&topics, &options).await?.into_iter().next().context("no answer for the topic")? {
        Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
        Err((topic, error)) => bail!("{topic}: {error}"),
    }
}
