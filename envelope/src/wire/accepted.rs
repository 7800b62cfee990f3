//! Which envelopes a subscriber opens.

/// Which envelopes a subscriber opens; everything else is a payload as it is.
///
/// Default: the binary frame and the JSON form. CloudEvents are not opened unless asked for: whoever reads them today wants the event.
///
/// ```
/// use traced_envelope::{AcceptedForms, Envelope};
///
/// let bytes = br#"{"trace_context":{},"payload":1}"#;
/// assert_eq!(Envelope::decode(bytes, AcceptedForms::default()).payload(), b"1");
/// assert_eq!(Envelope::decode(bytes, AcceptedForms::none().binary(true)).payload(), bytes);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AcceptedForms {
    pub(super) binary: bool,
    pub(super) json: bool,
    pub(super) cloud_events: bool,
}

impl Default for AcceptedForms {
    fn default() -> Self {
        Self::none().binary(true).json(true)
    }
}

impl AcceptedForms {
    /// None: every message is a plain payload.
    #[must_use]
    pub const fn none() -> Self {
        Self { binary: false, json: false, cloud_events: false }
    }

    /// All of them.
    #[must_use]
    pub const fn all() -> Self {
        Self { binary: true, json: true, cloud_events: true }
    }

    /// Whether binary frames are opened. Default: yes.
    #[must_use]
    pub const fn binary(mut self, accepted: bool) -> Self {
        self.binary = accepted;
        self
    }

    /// Whether `{"trace_context":{..},"payload":..}` is opened. Default: yes.
    #[must_use]
    pub const fn json(mut self, accepted: bool) -> Self {
        self.json = accepted;
        self
    }

    /// Whether CloudEvents in structured JSON are opened, which hides all their attributes but those of the context. Default: no.
    #[must_use]
    pub const fn cloud_events(mut self, accepted: bool) -> Self {
        self.cloud_events = accepted;
        self
    }
}
