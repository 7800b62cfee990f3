use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use opentelemetry::trace::Span as _;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

use super::span::CapturedSpan;

/// What all services of a capture write to, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    open: Vec<CapturedSpan>,
    pub(super) ended: Vec<CapturedSpan>,
    pub(super) wakers: Vec<Waker>,
}

impl Store {
    // A test that panics while it holds the lock must not hide its own message behind a poisoned
    // lock.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ended(&self) -> Vec<CapturedSpan> {
        self.state().ended.clone()
    }

    pub(super) fn open(&self) -> Vec<CapturedSpan> {
        self.state().open.clone()
    }

    pub(super) fn clear(&self) {
        self.state().ended.clear();
    }

    /// Blocks until `count` spans have ended; whether they did in time.
    pub(super) fn wait_for(&self, count: usize, timeout: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.state(), timeout, |state| state.ended.len() < count);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended.len() >= count
    }

    fn started(&self, span: CapturedSpan) {
        self.state().open.push(span);
    }

    pub(super) fn end(&self, span: CapturedSpan) {
        let mut state = self.state();
        state.open.retain(|open| open.span_context() != span.span_context());
        state.ended.push(span);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.ended.notify_all();
        // Outside the lock: a waker may poll at once, on this thread.
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Writes the spans of one service into the store, as they start and as they end.
#[derive(Debug)]
pub(super) struct Recorder {
    service: Arc<str>,
    store: Arc<Store>,
}

impl Recorder {
    pub(super) fn new(service: Arc<str>, store: Arc<Store>) -> Self {
        Self { service, store }
    }
}

impl SpanProcessor for Recorder {
    fn on_start(&self, span: &mut Span, _cx: &opentelemetry::Context) {
        if let Some(data) = span.exported_data().filter(|_| span.is_recording()) {
            self.store.started(CapturedSpan::new(Arc::clone(&self.service), data));
        }
    }

    fn on_end(&self, span: SpanData) {
        self.store.end(CapturedSpan::new(Arc::clone(&self.service), span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::synthetic::span, *};

    #[test]
    fn a_span_is_open_until_it_ends() {
        let store = Store::default();
        store.started(span(1, 0, "shop", "a", [0, 0]).build());
        store.started(span(2, 0, "shop", "b", [0, 0]).build());
        store.end(span(1, 0, "shop", "a", [0, 1]).build());
        assert_eq!(store.open().iter().map(CapturedSpan::name).collect::<Vec<_>>(), ["b"]);
        store.clear();
        assert!(store.ended().is_empty());
        assert_eq!(store.open().len(), 1, "clearing forgets what has ended, not what still will");
    }

    #[test]
    fn waiting_gives_up_when_the_time_is_over() {
        assert!(!Store::default().wait_for(1, Duration::ZERO));
        assert!(Store::default().wait_for(0, Duration::ZERO));
    }
}
