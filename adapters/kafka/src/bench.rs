//! What this crate does around rdkafka's calls, without a client: for the benchmarks of its workspace, which would otherwise measure a
//! copy. No part of the API.

use crate::in_flight::{GivenHeaders, InFlight};
use crate::producer::Outgoing;
use crate::source::Source;
use crate::{NativeMessage, TracedProducer};
use rdkafka::message::{OwnedHeaders, ToBytes};
use traced_envelope::{MessageSpan, Outcome, PreparedDestination, Settings};

/// What [`TracedProducer`] does before and after the producer's call.
#[derive(Debug)]
pub struct Producer(TracedProducer<()>);

impl Producer {
    pub fn new(settings: &Settings) -> Self {
        Self(TracedProducer::with_settings((), settings))
    }

    pub fn destination(&self, topic: &str) -> PreparedDestination {
        self.0.prepared("send", topic)
    }

    pub fn send<K, P>(
        &self,
        destination: &PreparedDestination,
        key: &K,
        payload: &P,
        headers: &mut Option<OwnedHeaders>,
    ) -> Sent
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let record = Outgoing::new(None, Some(key), Some(payload));
        let (mut span, given) = self.0.send_span(destination, record, headers);
        span.handed_over();
        Sent { span, _given: given }
    }
}

/// A record on its way.
#[derive(Debug)]
pub struct Sent {
    span: InFlight,
    /// Those that the record gets back where it cannot be sent.
    _given: GivenHeaders,
}

impl Sent {
    pub fn reported(self, partition: i32, offset: i64) {
        self.span.reported(partition, offset, Outcome::Ok);
    }
}

/// What [`TracedMessage`](crate::TracedMessage) does before the handler runs.
#[derive(Debug)]
pub struct Consumer(Source);

impl Consumer {
    pub fn new(settings: &Settings) -> Self {
        Self(Source::new(settings))
    }

    pub fn process<M: NativeMessage>(&self, message: &M) -> MessageSpan {
        self.0.process(message)
    }
}
