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
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope};
    ///
    /// let own = br#"{"trace_context":{},"payload":1}"#; // an object of the application's own, not an envelope
    /// assert_eq!(Envelope::decode(own, AcceptedForms::none()).payload(), own);
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self { binary: false, json: false, cloud_events: false }
    }

    /// All of them.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders};
    ///
    /// for form in [Form::Binary, Form::CloudEvents(CloudEvents::new("/shop"))] {
    ///     let sent = form.encode(&MessageHeaders::new(), b"hello");
    ///     assert_eq!(Envelope::decode(&sent, AcceptedForms::all()).payload(), b"hello");
    /// }
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self { binary: true, json: true, cloud_events: true }
    }

    /// Whether binary frames are opened. Default: yes.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope, Form, MessageHeaders};
    ///
    /// let sent = Form::Binary.encode(&MessageHeaders::new(), b"hello");
    /// let only_binary = AcceptedForms::none().binary(true);
    /// assert_eq!(Envelope::decode(&sent, only_binary).payload(), b"hello");
    /// assert!(Envelope::decode(&sent, AcceptedForms::all().binary(false)).is_plain());
    /// ```
    #[must_use]
    pub const fn binary(mut self, accepted: bool) -> Self {
        self.binary = accepted;
        self
    }

    /// Whether `{"trace_context":{..},"payload":..}` is opened. Default: yes.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope};
    ///
    /// let sent = br#"{"trace_context":{},"payload":[1,2]}"#;
    /// assert_eq!(Envelope::decode(sent, AcceptedForms::none().json(true)).payload(), b"[1,2]");
    /// assert!(Envelope::decode(sent, AcceptedForms::all().json(false)).is_plain());
    /// ```
    #[must_use]
    pub const fn json(mut self, accepted: bool) -> Self {
        self.json = accepted;
        self
    }

    /// Whether CloudEvents in structured JSON are opened, which hides all their attributes but those of the context. Default: no.
    ///
    /// ```
    /// use traced_envelope::{AcceptedForms, Envelope};
    ///
    /// let event = br#"{"specversion":"1.0","id":"1","source":"/shop","type":"order.created","data":{"id":42}}"#;
    /// assert_eq!(Envelope::decode(event, AcceptedForms::default()).payload(), event);
    /// assert_eq!(Envelope::decode(event, AcceptedForms::default().cloud_events(true)).payload(), br#"{"id":42}"#);
    /// ```
    #[must_use]
    pub const fn cloud_events(mut self, accepted: bool) -> Self {
        self.cloud_events = accepted;
        self
    }
}
