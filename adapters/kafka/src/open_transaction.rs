//! The transaction that is open, and what a record sent meanwhile has to do with it.

use crate::error;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, ContextGuard};
use rdkafka::error::{KafkaError, KafkaResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use traced_envelope::{MessageSpan, Operation, Outcome, Telemetry};

/// The transaction of a producer, if one is open.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Spares producers without transactions the lock.
    is_open: AtomicBool,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    span: MessageSpan,
    /// The span that was current at the begin.
    begun_in: SpanContext,
    /// What failed last.
    failure: Option<Outcome>,
}

impl Transaction {
    pub(crate) fn begin(&self, telemetry: &Telemetry, begin: impl FnOnce() -> KafkaResult<()>) -> KafkaResult<()> {
        let span = telemetry.transaction(Operation::new("transaction", ""));
        let begun = begin();
        if begun.is_ok() {
            let open = Open { span, begun_in: current_span(), failure: None };
            let before = self.lock().replace(open);
            self.is_open.store(true, Ordering::Release);
            // One that was ended behind our back, by the producer inside.
            drop(before);
        } else {
            span.end(error::of_result(&begun));
        }
        begun
    }

    /// Remembers a failure; after a fatal one librdkafka neither commits nor aborts any more.
    pub(crate) fn note(&self, result: &KafkaResult<()>) {
        let Err(error) = result else { return };
        let failure = error::of_error(error);
        if matches!(error, KafkaError::Transaction(error) if error.is_fatal()) {
            self.end(|_| failure);
        } else if let Some(open) = &mut *self.lock() {
            open.failure = Some(failure);
        }
    }

    pub(crate) fn end(&self, outcome: impl FnOnce(Option<Outcome>) -> Outcome) {
        let open = self.lock().take();
        self.is_open.store(false, Ordering::Release);
        if let Some(Open { span, failure, .. }) = open {
            span.end(outcome(failure));
        }
    }

    /// What a record that is sent now has to do with it.
    pub(crate) fn around(&self) -> Around {
        if !self.is_open.load(Ordering::Acquire) {
            return Around::Nothing;
        }
        let open = self.lock();
        let Some((open, span)) = open.as_ref().and_then(|open| Some((open, open.span.span_context()?))) else {
            return Around::Nothing;
        };
        let current = current_span();
        if current == open.begun_in || !current.is_valid() { Around::Parent(span) } else { Around::Linked(span) }
    }

    /// A panic elsewhere leaves what is inside whole.
    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current_span() -> SpanContext {
    Context::map_current(|context| context.span().span_context().clone())
}

/// How a record that is sent relates to the transaction.
#[derive(Debug)]
pub(crate) enum Around {
    Nothing,
    Parent(SpanContext),
    Linked(SpanContext),
}

impl Around {
    /// Makes the transaction's span the current one, where it is to be the parent; everything else of the context stays.
    pub(crate) fn parent(&self) -> Option<ContextGuard> {
        match self {
            Self::Parent(span) => Some(Context::current().with_remote_span_context(span.clone()).attach()),
            Self::Nothing | Self::Linked(_) => None,
        }
    }

    pub(crate) fn linked(&self) -> Option<&SpanContext> {
        match self {
            Self::Linked(span) => Some(span),
            Self::Nothing | Self::Parent(_) => None,
        }
    }
}
