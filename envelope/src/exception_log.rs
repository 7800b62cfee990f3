//! Failures as log events, which take the place of the deprecated span events (*Exceptions in logs*).

use crate::operation::OperationType;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::SpanContext;
use opentelemetry::{InstrumentationScope, Key};
use std::fmt;
use std::sync::Arc;

type Emit = dyn Fn(&InstrumentationScope, OperationType, &SpanContext, &str, &str) + Send + Sync;

/// A `LoggerProvider` whose types are forgotten.
#[derive(Clone)]
pub(crate) struct LoggerSource(Arc<Emit>);

impl LoggerSource {
    pub(crate) fn new<P>(provider: P) -> Self
    where
        P: LoggerProvider + Send + Sync + 'static,
        P::Logger: Send + Sync + 'static,
    {
        Self(Arc::new(move |scope, operation, span, kind, message| {
            let (event, severity) = match operation {
                OperationType::Create => ("messaging.create.exception", Severity::Warn),
                OperationType::Send => ("messaging.send.exception", Severity::Warn),
                OperationType::Receive => ("messaging.receive.exception", Severity::Warn),
                OperationType::Settle => ("messaging.settle.exception", Severity::Warn),
                OperationType::Process => ("messaging.process.exception", Severity::Error),
                OperationType::Transaction => ("messaging.transaction.exception", Severity::Warn),
            };
            // Failures are rare: taking a logger for each keeps no state.
            let logger = provider.logger_with_scope(scope.clone());
            let mut record = logger.create_log_record();
            record.set_event_name(event);
            record.set_severity_number(severity);
            record.set_severity_text(severity.name());
            record.add_attribute(Key::from_static_str("exception.type"), AnyValue::from(kind.to_owned()));
            record.add_attribute(Key::from_static_str("exception.message"), AnyValue::from(message.to_owned()));
            record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
            logger.emit(record);
        }))
    }

    pub(crate) fn emit(
        &self,
        scope: &InstrumentationScope,
        operation: OperationType,
        span: &SpanContext,
        kind: &str,
        message: &str,
    ) {
        (self.0)(scope, operation, span, kind, message);
    }
}

impl fmt::Debug for LoggerSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoggerSource")
    }
}
