//! Tests do not sleep: they wait for a number of spans.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{Capture, span::CapturedSpan, span_list, store::Store};

impl Capture {
    /// Blocks until at least `count` spans have ended since the last [`clear`](Self::clear), and
    /// returns them.
    ///
    /// ```
    /// # use std::{thread, time::Duration};
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// let capture = Capture::new();
    /// let tracer = capture.tracer("shop");
    /// let worker = thread::spawn(move || tracer.in_span("checkout", |_| ()));
    /// assert_eq!(capture.wait_for(1, Duration::from_secs(10)).len(), 1);
    /// # worker.join().unwrap();
    /// ```
    ///
    /// # Panics
    ///
    /// When `timeout` passes first; the message lists what has ended and what is still open.
    #[track_caller]
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Vec<CapturedSpan> {
        if !self.inner.store.wait_for(count, timeout) {
            panic!(
                "waited {timeout:?} for {count} spans\nended:\n{}\nstill open:\n{}",
                span_list::list(&self.spans()),
                span_list::list(&self.open_spans())
            );
        }
        self.spans()
    }

    /// Like [`wait_for`](Self::wait_for), for asynchronous tests on any runtime. It has no time
    /// limit of its own: wrap it in the runtime's.
    ///
    /// ```
    /// # use futures_util::FutureExt;
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::testing::Capture;
    ///
    /// # async fn test() {
    /// let capture = Capture::new();
    /// let ended = capture.spans_ended(1);
    /// capture.tracer("shop").in_span("checkout", |_| ());
    /// assert_eq!(ended.await.len(), 1);
    /// # }
    /// # test().now_or_never().unwrap();
    /// ```
    pub fn spans_ended(&self, count: usize) -> SpansEnded {
        SpansEnded { store: Arc::clone(&self.inner.store), count }
    }
}

/// Completes as soon as a number of spans have ended:
/// [`Capture::spans_ended`](super::Capture::spans_ended).
///
/// ```
/// use futures_util::FutureExt;
/// use opentelemetry::trace::Tracer;
/// use traced_envelope::testing::{Capture, SpansEnded};
///
/// let capture = Capture::new();
/// let mut ended: SpansEnded = capture.spans_ended(1);
/// let checkout = capture.tracer("shop").start("checkout");
/// assert!((&mut ended).now_or_never().is_none()); // it is still open
/// drop(checkout);
/// assert_eq!(ended.now_or_never().unwrap()[0].name(), "checkout");
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct SpansEnded {
    store: Arc<Store>,
    count: usize,
}

impl Future for SpansEnded {
    type Output = Vec<CapturedSpan>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.store.state();
        if state.ended.len() >= self.count {
            return Poll::Ready(state.ended.clone());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for SpansEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpansEnded").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
    };

    use super::{super::synthetic::span, *};

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waiting_future_is_woken_by_each_ended_span_and_completes_with_the_last() {
        let (store, woken) = (Arc::new(Store::default()), Arc::new(Count(AtomicUsize::new(0))));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut ended = pin!(SpansEnded { store: Arc::clone(&store), count: 2 });

        assert!(ended.as_mut().poll(&mut cx).is_pending());
        assert!(ended.as_mut().poll(&mut cx).is_pending());
        store.end(span(1, 0, "shop", "a", [0, 1]).build());
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "polling twice must not wake twice");
        assert!(ended.as_mut().poll(&mut cx).is_pending());
        store.end(span(2, 0, "shop", "b", [0, 1]).build());
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        assert!(matches!(ended.poll(&mut cx), Poll::Ready(spans) if spans.len() == 2));
    }
}
