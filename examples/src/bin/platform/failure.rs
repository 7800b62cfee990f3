//! What can go wrong with an order.

use std::{any::Any, error::Error, fmt};

use traced_apalis::apalis_core::error::BoxDynError;
use traced_rabbitmq::lapin;

#[derive(Debug)]
pub(crate) enum Failure {
    OutOfStock,
    /// No order at all, or one of another version.
    Unreadable,
    /// By the bank.
    Declined,
    /// A broker's or a database's: what was begun is still ours, and is tried again.
    Elsewhere(anyhow::Error),
}

impl Failure {
    /// For `error.type`, which metrics carry too: few names, and none with an order's number in it.
    const fn kind(&self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::Unreadable => "unreadable",
            Self::Declined => "payment_declined",
            Self::Elsewhere(_) => "elsewhere",
        }
    }

    /// For `Settings::on_error`: what a handler returned, which apalis puts into a box.
    pub(crate) fn kind_of(error: &dyn Any) -> Option<&'static str> {
        let failure = error.downcast_ref::<Self>();
        let boxed = || error.downcast_ref::<BoxDynError>()?.downcast_ref::<Self>();
        failure.or_else(boxed).map(Self::kind)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock => f.write_str("out of stock"),
            Self::Unreadable => f.write_str("not an order"),
            Self::Declined => f.write_str("the bank declined the payment"),
            Self::Elsewhere(error) => write!(f, "{error:#}"),
        }
    }
}

impl Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Elsewhere(error)
    }
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::Elsewhere(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_known_also_in_a_box() {
        let boxed: BoxDynError = Failure::OutOfStock.into();
        assert_eq!(Failure::kind_of(&boxed), Some("out_of_stock"));
        assert_eq!(Failure::kind_of(&Failure::Declined), Some("payment_declined"));
        assert_eq!(Failure::kind_of(&"text"), None);
    }
}
