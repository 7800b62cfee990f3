//! A job that runs inside its span.

use crate::enqueued::Times;
use crate::headers::TaskHeaders;
use crate::outcome::Ending;
use crate::{TracedConsumer, facts};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::status::Status;
use apalis_core::worker::context::WorkerContext;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, Key, KeyValue};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use traced_envelope::{Fact, MessageSpan, Operation, Telemetry, semconv};

type Running<T> = Pin<Box<dyn Future<Output = Result<T, BoxDynError>> + Send>>;

/// A task as the storage delivered it: an outer layer that stands aside puts it into the task, whose copies share it, so that the attempts
/// that the worker makes of it by itself are known as such.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery(Arc<AtomicBool>);

impl Delivery {
    /// Whether this is not the first attempt that is asked for.
    fn again(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }
}

/// A job whose span has started.
pub(crate) struct Job {
    /// `None` where the telemetry is switched off.
    span: Option<MessageSpan>,
    telemetry: Telemetry,
}

impl Job {
    pub(crate) fn start<Args>(consumer: &TracedConsumer, task: &Task<Args>) -> Self {
        let telemetry = &consumer.telemetry;
        if !telemetry.is_enabled() {
            return Self { span: None, telemetry: telemetry.clone() };
        }
        let destination = consumer.destination::<Args>("process", task.ctx());
        // apalis counts an attempt up when the handler is polled first.
        let attempt = task.attempt().saturating_add(1);
        // One that is fetched as running was so in a worker that is gone. apalis-postgres and apalis-sqlite count that attempt,
        // apalis-redis does not.
        let was_running = task.status() == Status::Running;
        let delivery = attempt.max(if was_running { 2 } else { 1 });
        let again = task.data().get::<Delivery>().is_some_and(Delivery::again);
        let times = Times::of(task.ctx());
        let id = task.task_id().filter(|_| consumer.ids).map(ToString::to_string);
        let worker = task.data().get::<WorkerContext>();
        let mut facts = facts::of_task(task.ctx(), times.run_at);
        facts.push((semconv::APALIS_ATTEMPT, facts::count(attempt)));
        facts.extend(times.enqueued_at.map(|millis| (semconv::APALIS_ENQUEUED_AT, millis.into())));
        facts.extend(worker.map(|worker| (semconv::APALIS_WORKER, Fact::from(worker.name()))));
        let operation = Operation::new("process", &destination)
            .message_id(id.as_deref())
            .attempt(u32::try_from(delivery).ok())
            .redelivered(delivery > 1)
            .again(again)
            // It was waiting for the first attempt only.
            .sent_at(times.due_at.filter(|_| !again))
            .apart(delivery > 1 || times.scheduled || telemetry.settings().is_old(times.age()))
            .facts(&facts);
        let span = telemetry.process(operation, &TaskHeaders::new(task.metadata()));
        Self { span: Some(span), telemetry: telemetry.clone() }
    }

    /// Calls the handler and runs its future, both inside the span.
    pub(crate) fn run<F, T, E>(self, call: impl FnOnce() -> F) -> Running<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<BoxDynError>,
    {
        let Some(mut span) = self.span else { return unboxed(call()) };
        let noting = span.span_context().is_some();
        // A handler may panic before it has a future.
        let future = span.enter(|| Unwound::around(noting, call));
        let telemetry = self.telemetry;
        let future = Noted { future, noting, ended: false };
        Box::pin(span.run_with(future, move |result| Ending::of(result).outcome(&telemetry, result)))
    }
}

/// A future without a span, with the error boxed as the others' are.
pub(crate) fn unboxed<F, T, E>(future: F) -> Running<T>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    E: Into<BoxDynError>,
{
    Box::pin(async move { future.await.map_err(Into::into) })
}

pin_project! {
    /// A handler's future, which notes on its span, the current one, how it ended.
    struct Noted<F> {
        #[pin]
        future: F,
        // Where no span is recorded, the current one is somebody else's.
        noting: bool,
        ended: bool,
    }

    impl<F> PinnedDrop for Noted<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.ended {
                note(*this.noting, Ending::Cancelled);
            }
        }
    }
}

impl<F, T, E> Future for Noted<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxDynError>,
{
    type Output = Result<T, BoxDynError>;

    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let noting = *this.noting;
        // A future that panicked is dropped later, and not cancelled then.
        *this.ended = true;
        let polled = Unwound::around(noting, || this.future.poll(task));
        *this.ended = polled.is_ready();
        let result = ready!(polled).map_err(Into::into);
        note(noting, Ending::of(&result));
        Poll::Ready(result)
    }
}

/// Dropped with `noting` still set, it was a panic that came by.
struct Unwound {
    noting: bool,
}

impl Unwound {
    fn around<T>(noting: bool, stretch: impl FnOnce() -> T) -> T {
        let mut unwound = Self { noting };
        let returned = stretch();
        unwound.noting = false;
        returned
    }
}

impl Drop for Unwound {
    fn drop(&mut self) {
        note(self.noting, Ending::Panic);
    }
}

fn note(noting: bool, ending: Ending) {
    if noting {
        let key = Key::from_static_str(semconv::APALIS_OUTCOME.in_1_45());
        Context::map_current(|context| context.span().set_attribute(KeyValue::new(key, ending.as_str())));
    }
}
