//! Running a call or a handler inside its span.

use crate::{MessageSpan, Outcome};
use opentelemetry::Context;
use pin_project_lite::pin_project;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Poll, ready};

impl MessageSpan {
    /// Runs a future inside the span, whose context is current while it is polled and never between. Its `Result` decides the
    /// outcome and comes back unchanged; a panic is recorded and goes on; dropped before its end, the span is cancelled.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let result = span.run(async { Err::<(), _>(std::fmt::Error) }).await;
    /// assert_eq!(result, Err(std::fmt::Error));
    /// # }).unwrap();
    /// ```
    pub fn run<F, T, E>(self, future: F) -> impl Future<Output = F::Output>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let name = self.error_names();
        let classify = move |result: &F::Output| Outcome::of(result, name.as_deref());
        Running { future: Some(future), span: self, classify: Some(classify) }
    }

    /// The same for any output: `classify` says how it ended.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let stored = span.run_with(async { 0 }, |stored| match stored {
    ///     0 => Outcome::error("nothing_stored", "no row was written"),
    ///     _ => Outcome::Ok,
    /// });
    /// assert_eq!(stored.await, 0);
    /// # }).unwrap();
    /// ```
    pub fn run_with<F, C>(self, future: F, classify: C) -> impl Future<Output = F::Output>
    where
        F: Future,
        C: FnOnce(&F::Output) -> Outcome,
    {
        Running { future: Some(future), span: self, classify: Some(classify) }
    }

    /// Runs a closure inside the span: for synchronous clients.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// assert_eq!(span.in_scope(|| Ok::<_, std::fmt::Error>(42)), Ok(42));
    /// ```
    pub fn in_scope<T, E: Display + 'static>(self, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let name = self.error_names();
        self.in_scope_with(run, |result| Outcome::of(result, name.as_deref()))
    }

    /// The same for any output: `classify` says how it ended.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// assert_eq!(span.in_scope_with(|| 42, |_| Outcome::Deferred), 42);
    /// ```
    pub fn in_scope_with<T>(mut self, run: impl FnOnce() -> T, classify: impl FnOnce(&T) -> Outcome) -> T {
        let (output, outcome) = self.enter(|| {
            let output = run();
            let outcome = classify(&output);
            (output, outcome)
        });
        self.finish(&outcome);
        output
    }

    /// Runs one stretch inside the span, which stays open: for a client that calls the application, and goes on with what it gives back.
    /// A panic in it ends the span at once: the future that panicked may be dropped much later, or by somebody who caught the panic.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let mut span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// let reply = span.enter(|| async { 42 }); // the application's callback
    /// # let _ = futures_util::FutureExt::now_or_never(
    /// span.run_with(reply, |_| Outcome::Ok) // what it gave back
    /// # );
    /// ```
    pub fn enter<T>(&mut self, stretch: impl FnOnce() -> T) -> T {
        struct Entered<'a> {
            span: &'a mut MessageSpan,
            /// A panic that was there before, as in a `Drop` that runs a handler, is not the handler's.
            panicking_before: bool,
        }
        impl Drop for Entered<'_> {
            fn drop(&mut self) {
                if !self.panicking_before && std::thread::panicking() {
                    self.span.finish(&Outcome::panicked());
                }
            }
        }
        #[cfg(feature = "tracing")]
        let tracing_span = self.tracing_span.clone();
        let context = self.context.clone();
        let _entered = Entered { span: self, panicking_before: std::thread::panicking() };
        // The `tracing` span first: where it activates a context of its own, ours lies on top.
        #[cfg(feature = "tracing")]
        let _tracing_span = tracing_span.as_ref().map(tracing::Span::enter);
        let _context = context.map(Context::attach);
        stretch()
    }
}

pin_project! {
    /// A future that runs inside a span.
    #[must_use = "futures do nothing unless they are polled"]
    struct Running<F, C> {
        // `None` only while it is dropped.
        #[pin]
        future: Option<F>,
        span: MessageSpan,
        classify: Option<C>,
    }

    impl<F, C> PinnedDrop for Running<F, C> {
        /// A handler that is cancelled is dropped inside its span: what it was holding may log or send as it goes.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Whoever has not finished is cancelled, also where nothing is recorded but a context is carried.
            if this.classify.is_some() {
                this.span.enter(|| this.future.set(None));
            }
        }
    }
}

impl<F, C> Future for Running<F, C>
where
    F: Future,
    C: FnOnce(&F::Output) -> Outcome,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut future, classify) = (this.future, this.classify);
        let (output, outcome) = ready!(this.span.enter(|| {
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            running.poll(task).map(|output| {
                let outcome = classify.take().map(|classify| classify(&output));
                (output, outcome)
            })
        }));
        if let Some(outcome) = outcome {
            this.span.finish(&outcome);
        }
        Poll::Ready(output)
    }
}
