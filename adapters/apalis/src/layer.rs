//! The layer around a worker's handler.

use crate::TracedConsumer;
use crate::innermost::Innermost;
use crate::running::{self, Job};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Runs each task that passes inside its span; made by [`TracedConsumer::layer`].
#[derive(Clone, Debug)]
pub struct TracedLayer {
    consumer: TracedConsumer,
}

impl TracedLayer {
    pub(crate) fn new(consumer: TracedConsumer) -> Self {
        Self { consumer }
    }
}

impl<S> Layer<S> for TracedLayer {
    type Service = TracedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TracedService { inner, consumer: self.consumer.clone(), innermost: Innermost::default() }
    }
}

/// The service of a [`TracedLayer`].
#[derive(Clone, Debug)]
pub struct TracedService<S> {
    inner: S,
    consumer: TracedConsumer,
    innermost: Innermost,
}

impl<S, Args> Service<Task<Args>> for TracedService<S>
where
    S: Service<Task<Args>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxDynError>,
{
    type Response = S::Response;
    /// The handler's: apalis boxes it here at the latest.
    type Error = BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxDynError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        let Self { inner, innermost, .. } = self;
        let ready = ready!(innermost.watch(|| inner.poll_ready(cx)));
        Poll::Ready(ready.map_err(Into::into))
    }

    fn call(&mut self, task: Task<Args>) -> Self::Future {
        if !self.innermost.is_this() {
            return running::unboxed(self.inner.call(task));
        }
        let job = Job::start(&self.consumer, &task);
        job.run(|| self.inner.call(task))
    }
}
