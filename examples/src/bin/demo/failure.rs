//! What can go wrong with an order.

use std::{error::Error, fmt};

use traced_kafka::rdkafka::error::KafkaError;
use traced_rabbitmq::lapin;

#[derive(Debug)]
pub(crate) enum Failure {
    OutOfStock,
    /// A client's: the message could not be sent on, so that it is still ours.
    Broker(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// For `error.type`, which metrics carry too: few names, and none with an order's number in it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::Broker(_) => "broker",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock => f.write_str("out of stock"),
            Self::Broker(error) => error.fmt(f),
        }
    }
}

impl Error for Failure {}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::Broker(error.into())
    }
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        Self::Broker(error.into())
    }
}
