//! Delivery callbacks that end spans.

use crate::error;
use crate::in_flight::InFlight;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, Partitioner, ProducerContext};
use rdkafka::statistics::Statistics;
use rdkafka::util::IntoOpaque;
use std::error::Error;
use std::fmt;
use traced_envelope::Outcome;

/// A [`ProducerContext`] around yours that ends each record's span with its delivery report.
///
/// A [`BaseProducer`](rdkafka::producer::BaseProducer) or [`ThreadedProducer`](rdkafka::producer::ThreadedProducer) tells of deliveries
/// by the context that it was made with, so that one that exists already cannot be traced: it is made with this. Your callbacks, your
/// partitioner and your `DeliveryOpaque` stay what they are; records go out by [`TracedProducer::send`](crate::TracedProducer).
///
/// ```no_run
/// use rdkafka::ClientConfig;
/// use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};
/// use traced_kafka::{TracedContext, TracedProducer};
///
/// # fn example() -> rdkafka::error::KafkaResult<()> {
/// let context = TracedContext::new(DefaultProducerContext); // or your own
/// let producer: ThreadedProducer<_> =
///     ClientConfig::new().set("bootstrap.servers", "localhost:9092").create_with_context(context)?;
/// let producer = TracedProducer::new(producer);
/// producer.send(BaseRecord::to("orders").key("42").payload("{}")).map_err(|(error, _)| error)?;
/// # Ok(()) }
/// ```
///
/// rdkafka 0.39 crashes where a partitioner of your own meets a configuration without any option of topics, with this crate or without:
/// set one, such as `message.timeout.ms`.
///
/// Your `delivery` runs after the span has ended, with the span's context as the current one: what it does belongs to the record's
/// trace. The message that it sees is the one that was sent, with our headers.
#[derive(Clone, Debug, Default)]
pub struct TracedContext<C> {
    context: C,
}

impl<C> TracedContext<C> {
    /// Wraps a context.
    ///
    /// ```
    /// # use rdkafka::ClientConfig;
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
    /// # use std::time::Duration;
    /// # use traced_kafka::envelope::testing::Capture;
    /// # use traced_kafka::{TracedContext, TracedProducer};
    /// # let (cluster, capture) = (MockCluster::new(1)?, Capture::new());
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    /// let context = TracedContext::new(DefaultProducerContext);
    /// let producer: BaseProducer<_> = config.create_with_context(context)?;
    /// let producer = TracedProducer::with_settings(producer, &capture.settings("shop"));
    /// producer.send(BaseRecord::to("orders").key("42").payload("{}")).map_err(|(error, _)| error)?;
    /// assert_eq!(capture.open_spans().len(), 1);
    /// producer.get_ref().flush(Duration::from_secs(10))?; // polls: the context's callback ends the span
    /// capture.assert_no_open_spans();
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn new(context: C) -> Self {
        Self { context }
    }

    /// Your context.
    ///
    /// ```
    /// # use rdkafka::mocking::MockCluster;
    /// # use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
    /// # use rdkafka::{ClientConfig, ClientContext};
    /// # use std::sync::atomic::{AtomicUsize, Ordering};
    /// # use std::time::Duration;
    /// # use traced_kafka::{TracedContext, TracedProducer};
    /// #[derive(Default)]
    /// struct Deliveries(AtomicUsize);
    /// # impl ClientContext for Deliveries {}
    /// # impl ProducerContext for Deliveries {
    /// #     type DeliveryOpaque = ();
    /// #     fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {
    /// #         self.0.fetch_add(1, Ordering::Relaxed);
    /// #     }
    /// # }
    /// # let cluster = MockCluster::new(1)?;
    /// # let mut config = ClientConfig::new();
    /// # config.set("bootstrap.servers", cluster.bootstrap_servers());
    ///
    /// let producer: ThreadedProducer<_> = config.create_with_context(TracedContext::new(Deliveries::default()))?;
    /// let producer = TracedProducer::new(producer);
    /// producer.send(BaseRecord::to("orders").key("42").payload("{}")).map_err(|(error, _)| error)?;
    /// producer.get_ref().flush(Duration::from_secs(10))?;
    /// assert_eq!(producer.get_ref().context().get_ref().0.load(Ordering::Relaxed), 1); // your callback ran
    /// # Ok::<_, rdkafka::error::KafkaError>(())
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &C {
        &self.context
    }

    /// Gives your context back.
    ///
    /// ```
    /// use traced_kafka::TracedContext;
    ///
    /// assert_eq!(TracedContext::new("your context").into_inner(), "your context");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> C {
        self.context
    }
}

impl<C: ClientContext> ClientContext for TracedContext<C> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = C::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.context.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.context.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(config)
    }
}

impl<C, Part> ProducerContext<Part> for TracedContext<C>
where
    C: ProducerContext<Part>,
    Part: Partitioner,
{
    type DeliveryOpaque = Box<TracedOpaque<C::DeliveryOpaque>>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let TracedOpaque { in_flight, opaque } = *opaque;
        let context = in_flight.span.context().into_owned();
        match delivery {
            Ok(message) => in_flight.reported(message.partition(), message.offset(), Outcome::Ok),
            Err((error, message)) => in_flight.reported(message.partition(), -1, error::of_error(error)),
        }
        let _current = context.attach();
        self.context.delivery(delivery, opaque);
    }

    fn get_custom_partitioner(&self) -> Option<&Part> {
        self.context.get_custom_partitioner()
    }
}

/// What travels through librdkafka with a record: its span and the application's own opaque value.
/// [`TracedProducer::send`](crate::TracedProducer) makes it.
///
/// ```
/// use rdkafka::producer::{DefaultProducerContext, ProducerContext};
/// use traced_kafka::{TracedContext, TracedOpaque};
///
/// // Code that is generic over contexts can ask for one that traces.
/// fn check<C: ProducerContext<DeliveryOpaque = Box<TracedOpaque<()>>>>(context: &C) -> bool {
///     context.get_custom_partitioner().is_none()
/// }
/// assert!(check(&TracedContext::new(DefaultProducerContext)));
/// ```
pub struct TracedOpaque<D> {
    pub(crate) in_flight: InFlight,
    pub(crate) opaque: D,
}

impl<D: IntoOpaque> TracedOpaque<D> {
    pub(crate) fn new(in_flight: InFlight, opaque: D) -> Box<Self> {
        Box::new(Self { in_flight, opaque })
    }
}

impl<D> fmt::Debug for TracedOpaque<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedOpaque").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}
