//! Enqueuing: every verb of apalis ends here, job by job.

use crate::headers::{TaskHeaders, Written};
use crate::{TracedProducer, builtin, enqueued, facts};
use apalis_core::task::Task;
use futures_sink::Sink;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use traced_envelope::{MessageSpan, Operation};

/// A job's span starts where the job is handed to the backend and ends with the flush that stores it; a storage's error ends it, and
/// comes back unchanged. What waits for a flush when the future of a `push` is dropped stays with the backend, and its span here.
impl<B, A, E> Sink<Task<A>> for TracedProducer<B>
where
    B: Sink<Task<A>, Error = E> + Unpin,
    E: Error + 'static,
{
    type Error = E;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let this = self.get_mut();
        match ready!(Pin::new(&mut this.backend).poll_ready(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            // A sink that has failed stores nothing any more, what it was given before included. apalis-amqp goes on with the rest: a limit.
            failed => Poll::Ready(this.in_flight.answered(failed)),
        }
    }

    fn start_send(self: Pin<&mut Self>, task: Task<A>) -> Result<(), E> {
        let this = self.get_mut();
        let (span, task) = this.traced(task);
        match Pin::new(&mut this.backend).start_send(task) {
            Ok(()) => {
                this.in_flight.push(span);
                Ok(())
            }
            refused => span.in_scope(|| refused),
        }
    }

    /// apalis' own sinks answer a flush that is under way for what it took with it, and leave what was sent meanwhile in their buffer.
    /// A sink that is asked once more flushes that too, as it has to, and one that has nothing left says so at once.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let this = self.get_mut();
        loop {
            let Poll::Ready(flushed) = Pin::new(&mut this.backend).poll_flush(cx) else {
                this.in_flight.flushing();
                return Poll::Pending;
            };
            // An error is about what the flush took with it: the rest is still in the sink, for the next one.
            this.in_flight.flushed(flushed)?;
            if this.in_flight.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        // A sink that is closed cannot be asked once more, so what is left is flushed before.
        if !self.in_flight.is_empty() {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        Pin::new(&mut self.get_mut().backend).poll_close(cx)
    }
}

impl<B> TracedProducer<B> {
    /// Starts a job's span and writes its context into the job's metadata.
    fn traced<A>(&self, mut task: Task<A>) -> (MessageSpan, Task<A>) {
        let telemetry = self.telemetry();
        if !telemetry.is_enabled() || opentelemetry::Context::is_current_telemetry_suppressed() {
            return (MessageSpan::off(), task);
        }
        if let Some(make_id) = self.task_id.filter(|_| task.task_id().is_none()) {
            task = task.into_builder().task_id(make_id()).build();
        }
        let mut written = Written::default();
        let span = self.push_span(&task, &mut written);
        if written.is_empty() {
            // A context that is kept stays, also where fields were to be taken away for one that did not come; but now is when the job is
            // enqueued.
            written = Written::default();
            if task.metadata().contains_key(enqueued::KEY) {
                enqueued::write(&mut written, task.run_at());
            }
        } else {
            enqueued::write(&mut written, task.run_at());
            if self.builtin_context || task.metadata().contains_key(builtin::KEY) {
                builtin::write(&mut written);
            }
        }
        if !written.is_empty() {
            // Infallible: it replaces.
            task.inject_metadata(&written.into_metadata()).ok();
        }
        (span, task)
    }

    fn push_span<A>(&self, task: &Task<A>, headers: &mut Written) -> MessageSpan {
        let telemetry = self.telemetry();
        let destination = self.consumer.destination::<A>("push", task);
        let id = task.task_id().map(ToString::to_string);
        let facts = facts::of_task(task, task.run_at());
        let operation = Operation::new("push", &destination)
            .message_id(id.as_deref())
            .facts(&facts)
            .existing(telemetry.existing(&TaskHeaders::new(task.metadata())));
        telemetry.send(operation, headers)
    }
}
