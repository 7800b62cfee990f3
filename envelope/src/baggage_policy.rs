//! Baggage policy.
/// Which baggage crosses a queue.
#[derive(Clone, Debug, Default)]
pub struct BaggagePolicy;
