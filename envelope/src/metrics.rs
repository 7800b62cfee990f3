//! The instruments, and where they come from.

use crate::semconv::metric;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry::{InstrumentationScope, global};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) type AnyMeterProvider = dyn MeterProvider + Send + Sync;

/// The instruments of the messaging conventions, and two of our own.
pub(crate) struct Instruments {
    pub(crate) operation_duration: Histogram<f64>,
    pub(crate) process_duration: Histogram<f64>,
    pub(crate) sent_messages: Counter<u64>,
    pub(crate) consumed_messages: Counter<u64>,
    pub(crate) context_missing: Counter<u64>,
    pub(crate) wait_duration: Histogram<f64>,
}

impl Instruments {
    fn new(provider: &AnyMeterProvider, scope: InstrumentationScope) -> Self {
        let meter = provider.meter_with_scope(scope);
        let seconds = |name, description| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(metric::BUCKETS.to_vec())
                .build()
        };
        let messages =
            |name, description| meter.u64_counter(name).with_unit("{message}").with_description(description).build();
        Self {
            operation_duration: seconds(
                metric::OPERATION_DURATION,
                "Duration of messaging operation initiated by a producer or consumer client.",
            ),
            process_duration: seconds(metric::PROCESS_DURATION, "Duration of processing operation."),
            sent_messages: messages(
                metric::SENT_MESSAGES,
                "Number of messages producer attempted to send to the broker.",
            ),
            consumed_messages: messages(
                metric::CONSUMED_MESSAGES,
                "Number of messages that were delivered to the application.",
            ),
            context_missing: messages(
                metric::CONTEXT_MISSING,
                "Number of messages that came without a usable context.",
            ),
            wait_duration: seconds(metric::WAIT_DURATION, "Time that messages spent in the broker."),
        }
    }
}

/// The instruments of one instrumentation scope; made anew when the process installs another meter provider, since those made
/// before stay dead for ever.
pub(crate) struct InstrumentSource {
    provider: Option<Arc<AnyMeterProvider>>,
    scope: InstrumentationScope,
    made: RwLock<Option<(Arc<AnyMeterProvider>, Arc<Instruments>)>>,
}

impl InstrumentSource {
    pub(crate) fn new(provider: Option<Arc<AnyMeterProvider>>, scope: InstrumentationScope) -> Self {
        Self { provider, scope, made: RwLock::new(None) }
    }

    pub(crate) fn get(&self) -> Arc<Instruments> {
        let provider = self.provider.clone().unwrap_or_else(global::meter_provider);
        if let Some((of, instruments)) = &*self.made.read().unwrap_or_else(PoisonError::into_inner) {
            // By address alone: the same object can have two vtables.
            if std::ptr::addr_eq(Arc::as_ptr(of), Arc::as_ptr(&provider)) {
                return Arc::clone(instruments);
            }
        }
        let instruments = Arc::new(Instruments::new(&*provider, self.scope.clone()));
        let made = Some((provider, Arc::clone(&instruments)));
        let before = std::mem::replace(&mut *self.made.write().unwrap_or_else(PoisonError::into_inner), made);
        // Outside the lock: the last owner of an SDK's provider shuts it down, over the network perhaps.
        drop(before);
        instruments
    }
}

impl fmt::Debug for InstrumentSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InstrumentSource").finish_non_exhaustive()
    }
}
