//! librdkafka's own mock cluster: real clients over loopback TCP, without a broker to install. One for each test, so that topics are
//! the test's own.

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer};
use rdkafka::ClientConfig;
use rdkafka::config::{FromClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{Consumer, ConsumerContext, StreamConsumer};
use rdkafka::message::OwnedHeaders;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::future::Future;
use std::time::Duration;
use traced_envelope::testing::Capture;
use traced_envelope::{Operation, Outcome, Telemetry};
use traced_kafka::{HeaderInjector, TracedConsumer};

pub(crate) const TOPIC: &str = "orders";

pub(crate) struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    pub(crate) producer: FutureProducer,
    pub(crate) capture: Capture,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, 2, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", mock.bootstrap_servers()).set("message.max.bytes", "4000000");
        let producer = config.create().unwrap();
        Self { mock, producer, capture: Capture::new() }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.mock.bootstrap_servers())
            .set("group.id", "warehouse")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "100")
            .set("fetch.wait.max.ms", "50");
        config
    }

    /// Both partitions of the topic, from their beginning. Assigned, since joining a group takes the mock cluster three seconds.
    pub(crate) fn assigned<T: FromClientConfig + Consumer>(&self) -> T {
        let consumer: T = self.config().create().unwrap();
        let mut partitions = TopicPartitionList::new();
        for partition in 0..2 {
            partitions.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&partitions).unwrap();
        consumer
    }

    pub(crate) fn subscribed<C, T>(&self, context: C) -> T
    where
        C: ConsumerContext,
        T: FromClientConfigAndContext<C> + Consumer<C>,
    {
        let consumer: T = self.config().create_with_context(context).unwrap();
        consumer.subscribe(&[TOPIC]).unwrap();
        consumer
    }

    /// What a traced producer of the service `shop` writes into a record's headers.
    pub(crate) fn traced_headers(&self) -> OwnedHeaders {
        let mut headers = None;
        let shop = Telemetry::new("kafka", &self.capture.settings("shop"));
        shop.send(Operation::new("send", TOPIC), &mut HeaderInjector(&mut headers)).end(Outcome::Ok);
        headers.unwrap()
    }

    pub(crate) async fn send(&self, headers: Option<OwnedHeaders>) {
        self.send_to(TOPIC, 0, headers).await;
    }

    pub(crate) async fn send_to(&self, topic: &str, partition: i32, headers: Option<OwnedHeaders>) {
        self.send_keyed(topic, partition, "42", headers).await;
    }

    pub(crate) async fn send_keyed(&self, topic: &str, partition: i32, key: &str, headers: Option<OwnedHeaders>) {
        let mut record = FutureRecord::to(topic).partition(partition).key(key).payload(b"{}");
        record.headers = headers;
        within(self.producer.send(record, Duration::ZERO)).await.unwrap();
    }

    pub(crate) fn refuse_next_send(&self) {
        let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        self.mock.request_errors(RDKafkaApiKey::Produce, &[error]);
    }

    /// A span of the handler's own.
    pub(crate) fn reserve_stock(&self) {
        self.capture.tracer("warehouse").in_span("reserve stock", |_| ());
    }

    pub(crate) fn current_is_valid() -> bool {
        Context::current().span().span_context().is_valid()
    }
}

pub(crate) fn warehouse(cluster: &Cluster) -> TracedConsumer<StreamConsumer> {
    TracedConsumer::with_settings(cluster.assigned(), &cluster.capture.settings("warehouse"))
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("nothing came within 30 s")
}
