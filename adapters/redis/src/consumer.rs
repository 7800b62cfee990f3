//! Consuming with a span for each message.

use crate::source::Source;
use std::fmt;
use std::sync::Arc;
use traced_envelope::{Settings, Status};

/// One of redis' subscriptions, whose messages are processed inside spans.
pub struct TracedConsumer<S> {
    subscription: S,
    source: Arc<Source>,
}

impl<S> TracedConsumer<S> {
    /// Wraps a subscription, with the process-wide providers and propagator.
    #[must_use]
    pub fn new(subscription: S) -> Self {
        Self::with_settings(subscription, &Settings::default())
    }

    /// Wraps a subscription, with settings of its own.
    #[must_use]
    pub fn with_settings(subscription: S, settings: &Settings) -> Self {
        Self { subscription, source: Arc::new(Source::new(settings)) }
    }

    /// redis' subscription.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.subscription
    }

    /// redis' subscription, to subscribe to more.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.subscription
    }

    /// Gives redis' subscription back.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.subscription
    }

    /// Whether spans are made, or no SDK was seen so far.
    #[must_use]
    pub fn status(&self) -> Status {
        self.source.telemetry.status()
    }
}

impl<S> fmt::Debug for TracedConsumer<S> {
    /// redis' subscriptions have nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TracedConsumer").field("source", &self.source).finish_non_exhaustive()
    }
}
