//! The small choices: whether a context that is already on a message is replaced, whether a queue is trusted, and which way
//! contexts travel.

/// What a producer does with a context that the message carries already, because it was consumed and is sent on.
///
/// ```
/// use traced_envelope::{ExistingContext, Settings};
///
/// let forwarder = Settings::default().existing_context(ExistingContext::Keep);
/// # let _ = forwarder;
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExistingContext {
    /// The new span's context takes its place, and the old one becomes a link: each hop is the next one's parent.
    #[default]
    Replace,
    /// It stays as it is, as the conventions say of a message's creation context; the send span is of kind CLIENT and links it.
    /// What the retry and dead-letter functions of the adapters do, so that all attempts share one creation context.
    Keep,
}

/// Whether those who write to a queue are trusted.
///
/// ```
/// use traced_envelope::{Settings, Trust};
///
/// let public_queue = Settings::default().trust(Trust::Untrusted);
/// let the_same = Settings::default().untrusted();
/// # let _ = (public_queue, the_same);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trust {
    /// Contexts are continued.
    #[default]
    Trusted,
    /// Each message starts a trace of its own, which links the foreign context; its `tracestate` and baggage are dropped. Nobody
    /// outside decides about sampling then (W3C Trace Context, "Security considerations"). Goes before every [`Relation`](crate::Relation).
    Untrusted,
    /// As [`Trust::Untrusted`], and the foreign context is not even linked.
    UntrustedUnlinked,
}

/// Which way contexts and baggage travel; spans and metrics are made all the same.
///
/// ```
/// use traced_envelope::{Propagation, Settings};
///
/// // Kafka brokers that still keep message format 1 refuse headers.
/// let settings = Settings::default().propagation(Propagation::ExtractOnly);
/// # let _ = settings;
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Propagation {
    /// Both ways.
    #[default]
    InjectAndExtract,
    /// Nothing is written into messages that are sent. A context that one carries already stays, and is linked.
    ExtractOnly,
    /// What received messages carry is not looked at. What a message carries that is sent on is still replaced or kept, as
    /// [`ExistingContext`] says.
    InjectOnly,
    /// Neither.
    Off,
}

impl Propagation {
    pub(crate) fn injects(self) -> bool {
        matches!(self, Self::InjectAndExtract | Self::InjectOnly)
    }

    pub(crate) fn extracts(self) -> bool {
        matches!(self, Self::InjectAndExtract | Self::ExtractOnly)
    }
}
