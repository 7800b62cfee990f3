//! What can go wrong with an order.

use std::{error::Error, fmt};

use traced_apalis::apalis_core::{backend::TaskSinkError, error::WorkerError};
use traced_kafka::rdkafka::error::KafkaError;
use traced_rabbitmq::lapin;
use traced_redis::redis::RedisError;

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

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Broker(error.into())
    }
}

impl From<TaskSinkError<apalis_sqlite::Error>> for Failure {
    fn from(error: TaskSinkError<apalis_sqlite::Error>) -> Self {
        Self::Broker(error.into())
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Self::Broker(error.into())
    }
}
