//! How byte payloads are sent.

use super::{CloudEvents, binary};
use crate::MessageHeaders;
use std::borrow::Cow;

/// In which form byte payloads are sent over a transport that has no headers.
///
/// There is no default: a subscriber that was not upgraded would be handed envelopes that it cannot read, so it is chosen where the
/// producer is made. Upgrade subscribers first, then producers. JSON payloads have a form of their own,
/// [`Envelope::encode_json`](super::Envelope::encode_json), which any JSON parser reads.
///
/// ```
/// use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, MessageHeaders, Operation, Telemetry, testing::Capture};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let capture = Capture::new();
/// let telemetry = Telemetry::new("redis", &capture.settings("shop"));
/// for form in [Form::Binary, Form::CloudEvents(CloudEvents::new("/shop"))] {
///     let mut headers = MessageHeaders::new();
///     let span = telemetry.send(Operation::new("publish", "orders"), &mut headers);
///     let sent = form.encode(&headers, b"\x00\x01"); // behind `send`, which fills the headers
///     span.run(async { Ok::<_, std::fmt::Error>(()) }).await?; // the client's call, with `sent`
///
///     let received = Envelope::decode(&sent, AcceptedForms::all());
///     assert_eq!(received.payload(), b"\x00\x01");
///     assert!(received.iter().eq(headers.iter()));
/// }
/// # Ok::<_, std::fmt::Error>(()) }).unwrap().unwrap();
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Form {
    /// The payload alone, without a context: for channels with subscribers that cannot read envelopes. A payload that is itself an
    /// envelope, such as a message that is passed on as it came, is opened by the subscriber.
    Bare,
    /// A frame for any bytes, which starts with `F5 54 52 43`: small, and read without a copy, by subscribers of this crate.
    Binary,
    /// A CloudEvent 1.0 in structured JSON, which Dapr and the CloudEvents SDKs read.
    CloudEvents(CloudEvents),
}

impl Form {
    /// Puts headers and payload together; the payload is copied once, or not at all if the form is [`Bare`](Self::Bare).
    ///
    /// Call it when [`Telemetry::send`](crate::Telemetry::send) has filled the headers, whichever propagator did. The form does not
    /// depend on them: without headers it is an envelope that has none. Headers that the form has no place for are left out, always
    /// whole: names beyond 255 bytes, what exceeds 64 headers or 65535 bytes, a repeated or an empty one, and for CloudEvents names that
    /// are no attribute's.
    ///
    /// ```
    /// use traced_envelope::{Form, MessageHeaders};
    ///
    /// let headers: MessageHeaders = [("b3", "0")].into_iter().collect();
    /// assert_eq!(*Form::Binary.encode(&headers, b"hello"), *b"\xF5TRC\x01\x00\x00\x06\x02b3\x00\x010hello");
    /// assert_eq!(*Form::Bare.encode(&headers, b"hello"), *b"hello");
    /// ```
    #[must_use]
    pub fn encode<'p>(&self, headers: &MessageHeaders, payload: &'p [u8]) -> Cow<'p, [u8]> {
        match self {
            Self::Bare => Cow::Borrowed(payload),
            Self::Binary => Cow::Owned(binary::write(headers, payload)),
            Self::CloudEvents(event) => Cow::Owned(event.write(headers, payload)),
        }
    }

    /// The same as [`encode`](Self::encode) in two parts, for clients that write into a buffer of their own: the second follows the first.
    /// A payload that travels as it is, in the forms [`Bare`](Self::Bare) and [`Binary`](Self::Binary), is the second one and is not
    /// copied.
    ///
    /// ```
    /// use traced_envelope::{Form, MessageHeaders};
    ///
    /// let headers: MessageHeaders = [("tenant", "acme")].into_iter().collect();
    /// let (head, payload) = Form::Binary.encode_parts(&headers, b"{}");
    /// assert_eq!(payload, b"{}");
    /// assert_eq!([&head, payload].concat(), *Form::Binary.encode(&headers, b"{}"));
    /// ```
    #[must_use]
    pub fn encode_parts<'p>(&self, headers: &MessageHeaders, payload: &'p [u8]) -> (Vec<u8>, &'p [u8]) {
        match self {
            Self::Bare => (Vec::new(), payload),
            Self::Binary => (binary::head(headers, 0), payload),
            Self::CloudEvents(event) => (event.write(headers, payload), &[]),
        }
    }
}
