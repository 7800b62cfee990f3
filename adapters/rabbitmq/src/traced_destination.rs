//! Publishing to one exchange with one routing key often.

use crate::{TracedConfirm, TracedProducer};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use traced_envelope::PreparedDestination;

/// An exchange and a routing key that messages are published to often; made by [`TracedProducer::destination`].
///
/// ```no_run
/// # use lapin::{BasicProperties, options::BasicPublishOptions};
/// # use traced_rabbitmq::{TracedDestination, TracedProducer};
/// # async fn example(producer: TracedProducer) -> lapin::Result<()> {
/// # let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
/// struct Orders {
///     created: TracedDestination, // made once, kept
/// }
/// let orders = Orders { created: producer.destination("orders".into(), "order.created".into()) };
/// let confirm = orders.created.publish(options, b"{}", properties).await?;
/// assert!(confirm.await?.is_ack());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TracedDestination {
    producer: TracedProducer,
    exchange: ShortString,
    routing_key: ShortString,
    prepared: PreparedDestination,
}

impl TracedDestination {
    pub(crate) fn new(
        producer: TracedProducer,
        exchange: ShortString,
        routing_key: ShortString,
        prepared: PreparedDestination,
    ) -> Self {
        Self { producer, exchange, routing_key, prepared }
    }

    /// [`TracedProducer::publish`] to this exchange with this routing key.
    ///
    /// ```no_run
    /// # use lapin::{BasicProperties, options::BasicPublishOptions};
    /// # use traced_rabbitmq::TracedDestination;
    /// # async fn example(orders: TracedDestination) -> lapin::Result<()> {
    /// let mut confirms = Vec::new(); // all are sent before the first answer is waited for
    /// for order in [&b"41"[..], b"42"] {
    ///     confirms.push(orders.publish(BasicPublishOptions::default(), order, BasicProperties::default()).await?);
    /// }
    /// for confirm in confirms {
    ///     assert!(confirm.await?.is_ack());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// lapin's own, unchanged.
    pub async fn publish(
        &self,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<TracedConfirm> {
        let (exchange, routing_key) = (self.exchange.clone(), self.routing_key.clone());
        self.producer.publish_to(&self.prepared, exchange, routing_key, options, payload, properties).await
    }
}
