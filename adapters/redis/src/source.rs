//! Where messages come from: what a process span says of them besides the message itself.

use traced_envelope::{Settings, Telemetry};

/// Where messages come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) telemetry: Telemetry,
}

impl Source {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { telemetry: crate::telemetry(settings) }
    }
}
