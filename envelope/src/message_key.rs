//! The key of a record, for those who ask for it: it may be personal data.

use crate::{Settings, Telemetry};

impl Settings {
    pub(crate) fn shown_key<'k>(&self, key: Option<&'k [u8]>) -> Option<&'k str> {
        std::str::from_utf8(key.filter(|_| self.message_keys)?).ok()
    }
}

impl Telemetry {
    /// The key of a record as it may be shown: `None` unless [`Settings::message_keys`] asks for it and it is UTF-8. For the links of a
    /// batch; a span's own comes by [`Operation::message_key`](crate::Operation::message_key).
    ///
    /// ```
    /// use traced_envelope::{Settings, Telemetry};
    ///
    /// let key = Some(&b"customer-7"[..]);
    /// assert_eq!(Telemetry::new("kafka", &Settings::default()).shown_key(key), None);
    /// let telemetry = Telemetry::new("kafka", &Settings::default().message_keys(true));
    /// assert_eq!(telemetry.shown_key(key), Some("customer-7"));
    /// assert_eq!(telemetry.shown_key(Some(b"\xff")), None);
    /// ```
    #[must_use]
    pub fn shown_key<'k>(&self, key: Option<&'k [u8]>) -> Option<&'k str> {
        self.inner.settings.shown_key(key)
    }
}
