//! What can go wrong with an order.

use std::fmt;

use traced_rabbitmq::lapin;

#[derive(Debug)]
pub(crate) enum Failure {
    OutOfStock,
    /// The message could not be sent on, so that it is still ours.
    Broker(lapin::Error),
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

impl std::error::Error for Failure {}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::Broker(error)
    }
}
