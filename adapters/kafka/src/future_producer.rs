//! Sending through a [`FutureProducer`].

use crate::in_flight::{GivenHeaders, InFlight};
use crate::producer::Outgoing;
use crate::{TracedDeliveryFuture, TracedProducer};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{OwnedMessage, Timestamp, ToBytes};
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use rdkafka::util::{AsyncRuntime, Timeout};
use std::time::{Duration, Instant};
use traced_envelope::PreparedDestination;

impl<C, R> TracedProducer<FutureProducer<C, R>>
where
    C: ClientContext + 'static,
    R: AsyncRuntime,
{
    /// [`FutureProducer::send`], inside a span `send {topic}` whose context replaces one that the record carries.
    ///
    /// The span ends with the delivery report, whose partition and offset it has then; attempts while the producer's queue is full
    /// belong to it.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use rdkafka::util::Timeout;
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> rdkafka::error::KafkaResult<()> {
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    /// # let producer: FutureProducer = config.create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// let record = FutureRecord::to("orders").partition(0).key("42").payload("{}");
    /// let delivery = producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
    /// assert_eq!((delivery.partition, delivery.offset), (0, 0));
    /// assert_eq!(capture.span("send orders").attribute("messaging.kafka.offset"), Some(&0.into()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given: its own headers, without ours. The span has librdkafka's name of the error as
    /// `error.type`.
    ///
    /// # Cancel safety
    ///
    /// As rdkafka's: dropped while the queue is full the record is not sent, and the span ends as `cancelled`; dropped after that it
    /// will be delivered, and the span ends without an error.
    pub async fn send<K, P, T>(&self, record: FutureRecord<'_, K, P>, queue_timeout: T) -> OwnedDeliveryResult
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
        T: Into<Timeout>,
    {
        let destination = self.prepared("send", record.topic);
        self.send_to(destination, record, queue_timeout.into()).await
    }

    /// [`FutureProducer::send_result`], inside the same span: it does not wait where the queue is full, and the returned future is the
    /// delivery report, with which the span ends. Not to await it is no error; the span then ends where it is dropped.
    ///
    /// ```no_run
    /// use rdkafka::producer::FutureRecord;
    /// use traced_kafka::TracedProducer;
    ///
    /// # async fn example(producer: TracedProducer) -> rdkafka::error::KafkaResult<()> {
    /// let record = FutureRecord::to("orders").key("42").payload("{}");
    /// let delivery = producer.send_result(record).map_err(|(error, _)| error)?; // in the queue
    /// delivery.await.expect("the producer lives").map_err(|(error, _)| error)?; // with the broker: the span ends
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own, with the record as it was given.
    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub fn send_result<'a, K, P>(
        &self,
        record: FutureRecord<'a, K, P>,
    ) -> Result<TracedDeliveryFuture, (KafkaError, FutureRecord<'a, K, P>)>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        self.queue(&self.prepared("send", record.topic), record)
    }

    #[expect(clippy::result_large_err, reason = "rdkafka's result")]
    pub(crate) fn queue<'a, K, P>(
        &self,
        destination: &PreparedDestination,
        mut record: FutureRecord<'a, K, P>,
    ) -> Result<TracedDeliveryFuture, (KafkaError, FutureRecord<'a, K, P>)>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let (mut span, given) = self.start(destination, &mut record);
        match self.producer.send_result(record) {
            Ok(delivery) => {
                span.handed_over();
                Ok(TracedDeliveryFuture::new(delivery, span, given))
            }
            Err((error, mut record)) => {
                span.refused(&error);
                given.give_back(&mut record.headers);
                Err((error, record))
            }
        }
    }

    pub(crate) async fn send_to<K, P>(
        &self,
        destination: PreparedDestination,
        mut record: FutureRecord<'_, K, P>,
        queue_timeout: Timeout,
    ) -> OwnedDeliveryResult
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let (mut span, given) = self.start(&destination, &mut record);
        let sent = without_headers(&record);
        match self.queue_until(record, &QueueTimeout::start(queue_timeout)).await {
            Ok(delivery) => {
                span.handed_over();
                let delivery = delivered(delivery, sent, given).await;
                span.delivered(&delivery);
                delivery
            }
            Err((error, mut record)) => {
                span.refused(&error);
                given.give_back(&mut record.headers);
                Err((error, owned(record)))
            }
        }
    }

    fn start<K, P>(
        &self,
        destination: &PreparedDestination,
        record: &mut FutureRecord<'_, K, P>,
    ) -> (InFlight, GivenHeaders)
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        self.send_span(destination, outgoing(record), &mut record.headers)
    }

    /// What [`FutureProducer::send`] does until the record is in the queue. It is written out here because that function does not tell
    /// when it is, which decides what a dropped future means.
    pub(crate) async fn queue_until<'a, K, P>(
        &self,
        mut record: FutureRecord<'a, K, P>,
        timeout: &QueueTimeout,
    ) -> Result<DeliveryFuture, (KafkaError, FutureRecord<'a, K, P>)>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        loop {
            match self.producer.send_result(record) {
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if !timeout.is_over() => {
                    record = back;
                    // rdkafka's own pause.
                    R::delay_for(Duration::from_millis(100)).await;
                }
                queued => return queued,
            }
        }
    }
}

/// How long to try while the queue is full, from when on.
pub(crate) struct QueueTimeout {
    started: Instant,
    timeout: Timeout,
}

impl QueueTimeout {
    pub(crate) fn start(timeout: Timeout) -> Self {
        Self { started: Instant::now(), timeout }
    }

    fn is_over(&self) -> bool {
        match self.timeout {
            Timeout::Never => false,
            Timeout::After(timeout) => self.started.elapsed() >= timeout,
        }
    }
}

pub(crate) fn outgoing<'a, K, P>(record: &FutureRecord<'a, K, P>) -> Outgoing<'a>
where
    K: ToBytes + ?Sized,
    P: ToBytes + ?Sized,
{
    Outgoing::new(record.partition, record.key, record.payload)
}

/// The record once more, for the case that it has to come back: all but its headers is borrowed anyway.
pub(crate) fn without_headers<'a, K, P>(record: &FutureRecord<'a, K, P>) -> FutureRecord<'a, K, P>
where
    K: ToBytes + ?Sized,
    P: ToBytes + ?Sized,
{
    let FutureRecord { topic, partition, payload, key, timestamp, .. } = *record;
    FutureRecord { topic, partition, payload, key, timestamp, headers: None }
}

/// The delivery report, with the caller's headers.
pub(crate) async fn delivered<K, P>(
    delivery: DeliveryFuture,
    mut sent: FutureRecord<'_, K, P>,
    given: GivenHeaders,
) -> OwnedDeliveryResult
where
    K: ToBytes + ?Sized,
    P: ToBytes + ?Sized,
{
    match delivery.await {
        Ok(Ok(delivery)) => Ok(delivery),
        Ok(Err((error, message))) => Err((error, given.give_back_in(message))),
        // rdkafka panics here. It cannot happen: we hold the producer, which answers before it goes.
        Err(_) => {
            given.give_back(&mut sent.headers);
            Err((KafkaError::Canceled, owned(sent)))
        }
    }
}

/// The message that [`FutureProducer::send`] makes of a record that was not queued.
pub(crate) fn owned<K, P>(record: FutureRecord<'_, K, P>) -> OwnedMessage
where
    K: ToBytes + ?Sized,
    P: ToBytes + ?Sized,
{
    OwnedMessage::new(
        record.payload.map(|payload| payload.to_bytes().to_vec()),
        record.key.map(|key| key.to_bytes().to_vec()),
        record.topic.to_owned(),
        record.timestamp.map_or(Timestamp::NotAvailable, Timestamp::CreateTime),
        record.partition.unwrap_or(-1),
        0,
        record.headers,
    )
}
