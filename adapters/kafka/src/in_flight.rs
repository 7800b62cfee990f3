//! A record on its way: its span until the delivery report, and its headers as they were given.

use crate::error;
use opentelemetry::Value;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::message::{OwnedHeaders, OwnedMessage};
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use traced_envelope::semconv::partition_id;
use traced_envelope::{MessageSpan, Outcome, semconv};

/// The span of a record that is sent. Dropped it is cancelled, or once the record was handed over it ends without an error.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) span: MessageSpan,
    /// Whether the caller chose the partition, which the span has then from its start.
    pub(crate) partition_given: bool,
}

impl InFlight {
    /// The record is in librdkafka's queue.
    pub(crate) fn handed_over(&mut self) {
        self.span.handed_over();
    }

    /// The delivery report: what librdkafka does not know, because no broker told, is negative.
    pub(crate) fn reported(self, partition: i32, offset: i64, outcome: Outcome) {
        let partition = (!self.partition_given && partition >= 0).then(|| partition_id(partition));
        let offset = (offset >= 0).then(|| Value::from(offset));
        let partition = partition.map(|partition| (&semconv::DESTINATION_PARTITION, partition));
        self.span.set_attributes(partition.into_iter().chain(offset.map(|offset| (&semconv::KAFKA_OFFSET, offset))));
        self.span.end(outcome);
    }

    pub(crate) fn delivered(self, delivery: &OwnedDeliveryResult) {
        match delivery {
            Ok(delivery) => self.reported(delivery.partition, delivery.offset, Outcome::Ok),
            Err((error, message)) => self.reported(message.partition(), -1, error::of_error(error)),
        }
    }

    /// librdkafka did not take the record.
    pub(crate) fn refused(self, error: &KafkaError) {
        self.span.end(error::of_error(error));
    }
}

/// The headers that a record had when it was given to us: it comes back with them where it could not be sent.
#[derive(Debug)]
pub(crate) enum GivenHeaders {
    /// Nothing was written: the record still has them.
    Untouched,
    /// The record has a copy that we wrote to.
    Kept(Option<OwnedHeaders>),
}

impl GivenHeaders {
    pub(crate) fn give_back(self, headers: &mut Option<OwnedHeaders>) {
        if let Self::Kept(given) = self {
            *headers = given;
        }
    }

    pub(crate) fn give_back_in(self, message: OwnedMessage) -> OwnedMessage {
        match self {
            Self::Untouched => message,
            Self::Kept(given) => message.replace_headers(given),
        }
    }
}
