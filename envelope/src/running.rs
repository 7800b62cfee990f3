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
        let classify = self.of_result();
        self.run_with(future, classify)
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
        self.run_noting(future, |output, _| classify(output))
    }

    /// The same where the output tells more than the outcome, such as the id that the broker gave: `classify` can set it as an attribute.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, semconv, testing::Capture};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let span = telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new());
    /// let added = span.run_noting(async { "1-0" }, |id, span| {
    ///     span.set_attribute(&semconv::MESSAGE_ID, *id);
    ///     Outcome::Ok
    /// });
    /// assert_eq!(added.await, "1-0");
    /// assert_eq!(capture.span("publish orders").attribute("messaging.message.id"), Some(&"1-0".into()));
    /// # }).unwrap();
    /// ```
    pub fn run_noting<F, C>(self, future: F, classify: C) -> impl Future<Output = F::Output>
    where
        F: Future,
        C: FnOnce(&F::Output, &Self) -> Outcome,
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
        let classify = self.of_result();
        self.in_scope_with(run, classify)
    }

    /// What a result says. An error is put into words only where somebody reads them.
    fn of_result<T, E: Display + 'static>(&self) -> impl FnOnce(&Result<T, E>) -> Outcome + use<T, E> {
        let names = self.is_open().then(|| self.error_names());
        move |result| names.map_or(Outcome::Ok, |names| Outcome::of(result, names.as_deref()))
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
    pub fn in_scope_with<T>(self, run: impl FnOnce() -> T, classify: impl FnOnce(&T) -> Outcome) -> T {
        self.in_scope_noting(run, |output, _| classify(output))
    }

    /// [`run_noting`](Self::run_noting) for a closure.
    ///
    /// ```
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry, semconv};
    ///
    /// let telemetry = Telemetry::new("nats", &Settings::default());
    /// let span = telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new());
    /// let id = span.in_scope_noting(|| "1-0", |id, span| {
    ///     span.set_attribute(&semconv::MESSAGE_ID, *id);
    ///     Outcome::Ok
    /// });
    /// assert_eq!(id, "1-0");
    /// ```
    pub fn in_scope_noting<T>(mut self, run: impl FnOnce() -> T, classify: impl FnOnce(&T, &Self) -> Outcome) -> T {
        let (output, outcome) = self.inside(|span| {
            let output = run();
            let outcome = classify(&output, span);
            (output, outcome)
        });
        self.finish(&outcome);
        output
    }

    /// One stretch inside the span, which goes on after it: a client's call that makes a future, whose end is the span's. A panic in it
    /// is recorded, ends the span at once and goes on: the future that panicked may be dropped much later, or by somebody who caught the
    /// panic. With feature `tracing` the span's `tracing` span is entered too, which [`attach`](Self::attach) does not do.
    ///
    /// ```
    /// use opentelemetry::trace::Tracer;
    /// use traced_envelope::{MessageHeaders, Operation, Outcome, Telemetry, testing::Capture};
    ///
    /// let capture = Capture::new();
    /// let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    /// let mut span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    /// assert_eq!(span.enter(|| capture.tracer("shop").in_span("reserve stock", |_| 42)), 42);
    /// span.end(Outcome::Ok);
    /// capture.assert_one_trace();
    /// ```
    pub fn enter<T>(&mut self, stretch: impl FnOnce() -> T) -> T {
        self.inside(|_| stretch())
    }

    /// The same for a stretch that looks at the span.
    fn inside<T>(&mut self, stretch: impl FnOnce(&Self) -> T) -> T {
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
        let entered = Entered { span: self, panicking_before: std::thread::panicking() };
        // The `tracing` span first: where it activates a context of its own, ours lies on top.
        #[cfg(feature = "tracing")]
        let _tracing_span = tracing_span.as_ref().map(tracing::Span::enter);
        let _context = context.map(Context::attach);
        stretch(entered.span)
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
                this.span.inside(|_| this.future.set(None));
            }
        }
    }
}

impl<F, C> Future for Running<F, C>
where
    F: Future,
    C: FnOnce(&F::Output, &MessageSpan) -> Outcome,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut future, classify) = (this.future, this.classify);
        let (output, outcome) = ready!(this.span.inside(|span| {
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            running.poll(task).map(|output| {
                let outcome = classify.take().map(|classify| classify(&output, span));
                (output, outcome)
            })
        }));
        if let Some(outcome) = outcome {
            this.span.finish(&outcome);
        }
        Poll::Ready(output)
    }
}
