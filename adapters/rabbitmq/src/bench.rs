//! What this crate does around lapin's calls, without a channel: for the benchmarks of its workspace, which would otherwise measure a
//! copy. No part of the API.

use crate::source::Source;
use crate::{destination, injection};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::ShortString;
use traced_envelope::{MessageSpan, Operation, PreparedDestination, Settings, Telemetry};

/// What [`TracedProducer`](crate::TracedProducer) does before and after the channel's call.
#[derive(Debug)]
pub struct Producer(Telemetry);

impl Producer {
    pub fn new(settings: &Settings) -> Self {
        Self(crate::telemetry(settings))
    }

    pub fn destination(&self, exchange: &str, routing_key: &str) -> PreparedDestination {
        destination::prepared(&self.0, "publish", exchange, routing_key)
    }

    pub fn send(
        &self,
        destination: &PreparedDestination,
        payload: &[u8],
        properties: BasicProperties,
    ) -> (MessageSpan, BasicProperties) {
        injection::send(&self.0, Operation::new("publish", destination), payload, properties)
    }
}

/// What [`TracedDelivery`](crate::TracedDelivery) does before the handler runs.
#[derive(Debug)]
pub struct Consumer(Source);

impl Consumer {
    pub fn new(queue: ShortString, settings: &Settings) -> Self {
        Self(Source::of_queue(queue, settings))
    }

    pub fn process(&self, delivery: &Delivery) -> MessageSpan {
        self.0.process(delivery)
    }
}
