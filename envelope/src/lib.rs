//! Envelope.
pub mod propagation;
mod baggage_policy;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;

pub use baggage_policy::BaggagePolicy;
pub use settings::Settings;
