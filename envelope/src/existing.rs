//! A context that a message carries before it is sent.

use crate::MessageHeaders;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::SpanContext;

/// What [`Telemetry::existing`](crate::Telemetry::existing) found on a message that is about to be sent.
#[derive(Clone, Debug)]
pub struct Existing {
    pub(crate) span_context: SpanContext,
    /// Whether any field of the propagator is there, valid or not.
    pub(crate) fields: bool,
    /// All headers that are text, where the settings ask for some.
    pub(crate) headers: Option<Box<MessageHeaders>>,
}

impl Existing {
    /// The context; `None` where there is none that is valid.
    ///
    /// ```
    /// assert!(traced_envelope::Existing::default().span_context().is_none());
    /// ```
    #[must_use]
    pub fn span_context(&self) -> Option<&SpanContext> {
        Some(&self.span_context).filter(|context| context.is_valid())
    }

    pub(crate) fn headers(&self) -> Option<&dyn Extractor> {
        self.headers.as_deref().map(|headers| headers as &dyn Extractor)
    }
}

impl Default for Existing {
    fn default() -> Self {
        Self { span_context: SpanContext::NONE, fields: false, headers: None }
    }
}
