//! A cluster of its own for each test, and what stands in its topics.

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::Duration;
use traced_envelope::Settings;
use traced_kafka::TracedProducer;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);
pub(crate) const TOPIC: &str = "orders";

/// The context of a stranger's span.
pub(crate) const FOREIGN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(crate) struct Cluster(pub(crate) MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    /// With the topic `orders` of one partition.
    pub(crate) fn start() -> Result<Self> {
        let cluster = MockCluster::new(1)?;
        cluster.create_topic(TOPIC, 1, 1)?;
        Ok(Self(cluster))
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.0.bootstrap_servers()).set("linger.ms", "0");
        config
    }

    pub(crate) fn producer(&self, settings: &Settings) -> Result<TracedProducer> {
        self.producer_with(settings, [])
    }

    pub(crate) fn producer_with<const N: usize>(
        &self,
        settings: &Settings,
        options: [(&str, &str); N],
    ) -> Result<TracedProducer> {
        let mut config = self.config();
        for (key, value) in options {
            config.set(key, value);
        }
        let producer: FutureProducer = config.create()?;
        Ok(TracedProducer::with_settings(producer, settings))
    }

    /// The first records of the topic's first partition, as they are on the wire.
    pub(crate) fn records(&self, count: usize) -> Result<Vec<OwnedMessage>> {
        let consumer: BaseConsumer =
            self.config().set("group.id", "reader").set("isolation.level", "read_uncommitted").create()?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(TOPIC, 0, Offset::Beginning)?;
        consumer.assign(&from)?;
        (0..count).map(|_| Ok(consumer.poll(TIMEOUT).context("no record in time")??.detach())).collect()
    }
}

/// Headers as one can compare them.
pub(crate) type Listed = Vec<(String, Option<Vec<u8>>)>;

pub(crate) fn listed(headers: Option<&OwnedHeaders>) -> Option<Listed> {
    let owned = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
    headers.map(|headers| headers.iter().map(owned).collect())
}

pub(crate) fn values<'a>(headers: &'a Listed, name: &str) -> Vec<&'a str> {
    let named = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.filter_map(|(_, value)| std::str::from_utf8(value.as_deref()?).ok()).collect()
}

/// Headers of all kinds, a context among them that came from somewhere else.
pub(crate) fn headers() -> OwnedHeaders {
    OwnedHeaders::new()
        .insert(Header { key: "b", value: Some("1") })
        .insert(Header { key: "traceparent", value: Some(FOREIGN) })
        .insert(Header { key: "null", value: None::<&str> })
        .insert(Header { key: "binary", value: Some(&b"\0\xff"[..]) })
        .insert(Header { key: "tracestate", value: Some("vendor=old") })
        .insert(Header { key: "b", value: Some("2") })
}

/// All of them but the context.
pub(crate) fn others() -> Listed {
    let all = listed(Some(&headers())).unwrap_or_default();
    all.into_iter().filter(|(name, _)| !name.starts_with("trace")).collect()
}

/// What came back of a record that was not delivered.
pub(crate) fn assert_as_given(message: &OwnedMessage) {
    assert_eq!((message.topic(), message.key(), message.payload()), (TOPIC, Some(&b"42"[..]), Some(&b"{}"[..])));
    assert_eq!(listed(message.headers()), listed(Some(&headers())));
}
