//! Publishing to one exchange with one routing key often.

use crate::{TracedConfirm, TracedProducer};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use traced_envelope::PreparedDestination;

/// An exchange and a routing key that messages are published to often; made by [`TracedProducer::destination`].
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
