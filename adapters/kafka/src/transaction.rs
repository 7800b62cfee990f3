//! Transactions: one span from begin to commit or abort.

use crate::TracedProducer;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaResult;
use rdkafka::producer::{Partitioner, Producer, ProducerContext};
use rdkafka::util::Timeout;
use traced_envelope::Outcome;

impl<N> TracedProducer<N> {
    /// [`Producer::init_transactions`]; it has no span.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use std::time::Duration;
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> rdkafka::error::KafkaResult<()> {
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers()).set("transactional.id", "shop");
    /// # let producer: FutureProducer = config.create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// producer.init_transactions(Duration::from_secs(10))?; // once, before the first
    /// producer.begin_transaction()?;
    /// assert_eq!(capture.open_spans().len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, as with all functions of transactions. Like rdkafka's, they block: call them where that is allowed, such as in
    /// tokio's `spawn_blocking`.
    pub fn init_transactions<C, Part>(&self, timeout: impl Into<Timeout>) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        self.producer.init_transactions(timeout)
    }

    /// [`Producer::begin_transaction`]: starts the span `transaction`, which lasts until [`commit_transaction`](Self::commit_transaction)
    /// or [`abort_transaction`](Self::abort_transaction) succeeds; dropped with the last clone of this producer before that, it ends as
    /// `cancelled`.
    ///
    /// The spans of records that are sent meanwhile are its children where the current span is still that of the begin; inside another
    /// span, such as that of a message that is processed, they are children of that one and link the transaction.
    ///
    /// ```no_run
    /// use rdkafka::producer::FutureRecord;
    /// use rdkafka::util::Timeout;
    /// use std::time::Duration;
    /// use traced_kafka::TracedProducer;
    ///
    /// # async fn example(producer: TracedProducer) -> rdkafka::error::KafkaResult<()> {
    /// producer.init_transactions(Duration::from_secs(10))?;
    /// producer.begin_transaction()?;
    /// match producer.send(FutureRecord::to("orders").key("42").payload("{}"), Timeout::Never).await {
    ///     Ok(_) => producer.commit_transaction(Duration::from_secs(10))?,
    ///     Err(_) => producer.abort_transaction(Duration::from_secs(10))?,
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own; the span ends with it.
    pub fn begin_transaction<C, Part>(&self) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        self.transaction.begin(self.telemetry(), || self.producer.begin_transaction())
    }

    /// [`Producer::send_offsets_to_transaction`], within the transaction's span.
    ///
    /// ```no_run
    /// use rdkafka::consumer::{BaseConsumer, Consumer};
    /// use std::time::Duration;
    /// use traced_kafka::{TracedConsumer, TracedProducer};
    ///
    /// # fn example(consumer: TracedConsumer<BaseConsumer>, producer: TracedProducer) -> rdkafka::error::KafkaResult<()> {
    /// let (positions, group) = (consumer.get_ref().position()?, consumer.get_ref().group_metadata());
    /// if let Some(group) = group {
    ///     producer.send_offsets_to_transaction(&positions, &group, Duration::from_secs(10))?;
    /// }
    /// producer.commit_transaction(Duration::from_secs(10))?; // what was read counts as read with what was sent
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own; an abort after it has it as `error.type`.
    pub fn send_offsets_to_transaction<C, Part>(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        timeout: impl Into<Timeout>,
    ) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        let sent = self.producer.send_offsets_to_transaction(offsets, group, timeout);
        self.transaction.note(&sent);
        sent
    }

    /// [`Producer::commit_transaction`]: the transaction's span ends.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use rdkafka::util::Timeout;
    /// # use std::time::Duration;
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> rdkafka::error::KafkaResult<()> {
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers()).set("transactional.id", "shop");
    /// # let producer: FutureProducer = config.create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// # producer.init_transactions(Duration::from_secs(10))?;
    /// producer.begin_transaction()?;
    /// let record = FutureRecord::to("orders").key("42").payload("{}");
    /// producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
    /// producer.commit_transaction(Duration::from_secs(10))?;
    /// capture.assert_trace("
    ///     transaction     shop  INTERNAL
    ///     └─ send orders  shop  PRODUCER
    /// ");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own. The span goes on, because the transaction does: commit again, or abort. Only a fatal error ends it.
    pub fn commit_transaction<C, Part>(&self, timeout: impl Into<Timeout>) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        let committed = self.producer.commit_transaction(timeout);
        self.transaction.note(&committed);
        if committed.is_ok() {
            self.transaction.end(|_| Outcome::Ok);
        }
        committed
    }

    /// [`Producer::abort_transaction`]: the transaction's span ends with an error, since nothing of it was delivered. `error.type` is
    /// that of the commit or the offsets that failed before, else `aborted`.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use std::time::Duration;
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> rdkafka::error::KafkaResult<()> {
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers()).set("transactional.id", "shop");
    /// # let producer: FutureProducer = config.create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// # producer.init_transactions(Duration::from_secs(10))?;
    /// producer.begin_transaction()?;
    /// producer.abort_transaction(Duration::from_secs(10))?; // the order was cancelled
    /// assert_eq!(capture.span("transaction").attribute("error.type"), Some(&"aborted".into()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own. The span goes on, because the transaction does, unless the error is fatal.
    pub fn abort_transaction<C, Part>(&self, timeout: impl Into<Timeout>) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        let aborted = self.producer.abort_transaction(timeout);
        if aborted.is_ok() {
            self.transaction.end(|failure| {
                failure.unwrap_or_else(|| Outcome::error("aborted", "the application aborted the transaction"))
            });
        } else {
            self.transaction.note(&aborted);
        }
        aborted
    }
}
