//! The delivery report of a record that was queued.

use crate::in_flight::{GivenHeaders, InFlight};
use rdkafka::producer::DeliveryFuture;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The future of the delivery report, as rdkafka's [`DeliveryFuture`]; the send span ends with it.
///
/// Dropped without being awaited: no error, because librdkafka delivers the record all the same. A record that could not be delivered
/// comes back as it was given, without our headers.
///
/// ```
/// # use rdkafka::ClientConfig;
/// # use rdkafka::mocking::MockCluster;
/// # use rdkafka::producer::{FutureProducer, FutureRecord};
/// # use traced_kafka::TracedProducer;
/// # use traced_kafka::envelope::testing::Capture;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> rdkafka::error::KafkaResult<()> {
/// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
/// # let mut config = ClientConfig::new();
/// # config.set("bootstrap.servers", cluster.bootstrap_servers());
/// # let producer: FutureProducer = config.create()?;
/// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
/// let record = FutureRecord::to("orders").key("42").payload("{}");
/// let delivery = producer.send_result(record).map_err(|(error, _)| error)?; // in the queue
/// assert_eq!(capture.open_spans().len(), 1);
/// delivery.await.expect("the producer lives").map_err(|(error, _)| error)?; // with the broker
/// capture.assert_no_open_spans();
/// # Ok(()) }
/// ```
#[must_use = "the delivery report is only known when this is awaited"]
pub struct TracedDeliveryFuture {
    delivery: DeliveryFuture,
    sent: Option<(InFlight, GivenHeaders)>,
}

impl TracedDeliveryFuture {
    pub(crate) fn new(delivery: DeliveryFuture, span: InFlight, given: GivenHeaders) -> Self {
        Self { delivery, sent: Some((span, given)) }
    }

    /// rdkafka's future.
    ///
    /// ```no_run
    /// use rdkafka::producer::DeliveryFuture;
    /// use traced_kafka::TracedDeliveryFuture;
    ///
    /// # fn example(delivery: &TracedDeliveryFuture) {
    /// let native: &DeliveryFuture = delivery.get_ref();
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &DeliveryFuture {
        &self.delivery
    }

    /// Gives rdkafka's future back; the span ends here, without an error, and a record that comes back has our headers.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::producer::{FutureProducer, FutureRecord};
    /// # use traced_kafka::TracedProducer;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # let producer: FutureProducer = ClientConfig::new().create()?;
    /// # let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// let record = FutureRecord::to("orders").key("42").payload("{}");
    /// let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
    /// let native = delivery.into_inner(); // for code that wants rdkafka's
    /// assert!(!capture.span("send orders").is_error());
    /// # drop(native);
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    pub fn into_inner(self) -> DeliveryFuture {
        self.delivery
    }
}

impl Future for TracedDeliveryFuture {
    type Output = <DeliveryFuture as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut report = ready!(Pin::new(&mut self.delivery).poll(task));
        if let Some((span, given)) = self.sent.take()
            // Without a report the producer is gone, and nobody knows: the span ends without an error.
            && let Ok(delivery) = report
        {
            span.delivered(&delivery);
            report = Ok(delivery.map_err(|(error, message)| (error, given.give_back_in(message))));
        }
        Poll::Ready(report)
    }
}

impl fmt::Debug for TracedDeliveryFuture {
    /// rdkafka's future has nothing to show, and the headers are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.sent.as_ref().map(|(span, _)| span);
        formatter.debug_struct("TracedDeliveryFuture").field("span", &span).finish_non_exhaustive()
    }
}
