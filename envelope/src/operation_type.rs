//! What kind of operation it is.

/// The five types of operation of the conventions, and one of our own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OperationType {
    Create,
    Send,
    Receive,
    Process,
    Settle,
    Transaction,
}

impl OperationType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Process => "process",
            Self::Settle => "settle",
            Self::Transaction => "transaction",
        }
    }
}
