//! Our side of the topic: a producer, topics of their own, and a capture of all spans.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use integration_tests::{create_topic, unique};
use opentelemetry::trace::SpanKind;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    message::{Headers as _, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use test_brokers::Kafka;
use tokio::time::timeout;
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_kafka::{TracedConsumer, TracedMessage, TracedProducer};

use crate::context::span_of;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Ours {
    pub(crate) capture: Capture,
    broker: Arc<Kafka>,
    producer: FutureProducer,
}

impl Ours {
    pub(crate) async fn connect() -> Result<Self> {
        let broker = Kafka::shared().await?;
        let producer = config(&broker).create()?;
        Ok(Self { capture: Capture::new(), broker, producer })
    }

    pub(crate) fn servers(&self) -> &str {
        self.broker.bootstrap_servers()
    }

    pub(crate) async fn topic(&self) -> Result<String> {
        let topic = format!("python-{}", unique());
        create_topic(&self.broker, &topic, 1).await?;
        Ok(topic)
    }

    pub(crate) fn producer(&self) -> TracedProducer {
        TracedProducer::with_settings(self.producer.clone(), &self.capture.settings("shop"))
    }

    pub(crate) async fn send(&self, topic: &str) -> Result<()> {
        self.send_with(topic, None).await
    }

    pub(crate) async fn send_with(&self, topic: &str, headers: Option<OwnedHeaders>) -> Result<()> {
        let mut record = FutureRecord::to(topic).key("42").payload("from Rust");
        record.headers = headers;
        let sent = timeout(LIMIT, self.producer().send(record, Timeout::Never)).await.context("no delivery report")?;
        sent.map(drop).map_err(|(error, _)| error.into())
    }

    /// The messages of the topic, from its beginning.
    pub(crate) fn consumer(&self, topic: &str) -> Result<TracedConsumer<StreamConsumer>> {
        let consumer: StreamConsumer = config(&self.broker).set("group.id", topic).create()?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&from)?;
        Ok(TracedConsumer::with_settings(consumer, &self.capture.settings("warehouse")))
    }

    /// The first message of the topic.
    pub(crate) async fn first(&self, topic: &str) -> Result<TracedMessage<OwnedMessage>> {
        next(&self.consumer(topic)?).await
    }

    /// The one span of this kind that we made.
    pub(crate) fn span(&self, kind: &SpanKind) -> Result<CapturedSpan> {
        span_of(&self.capture, kind)
    }
}

pub(crate) async fn next(consumer: &TracedConsumer<StreamConsumer>) -> Result<TracedMessage<OwnedMessage>> {
    Ok(timeout(LIMIT, consumer.recv()).await.context("no message comes")??.detach())
}

/// All headers, sorted, which must be text.
pub(crate) fn headers(headers: Option<&OwnedHeaders>) -> Result<Vec<(String, String)>> {
    let headers = headers.context("no headers")?.iter();
    let texts = headers.map(|header| {
        let value = header.value.with_context(|| format!("{} is null", header.key))?;
        Ok((header.key.to_owned(), String::from_utf8(value.to_vec())?))
    });
    let mut texts: Vec<_> = texts.collect::<Result<_>>()?;
    texts.sort();
    Ok(texts)
}

fn config(broker: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers()).set("linger.ms", "0");
    config
}
