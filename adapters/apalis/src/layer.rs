//! The layer around a worker's handler.

use crate::TracedConsumer;
use crate::innermost::Innermost;
use crate::running::{self, Delivery, Job};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Runs each task that passes inside its span; made by [`TracedConsumer::layer`].
///
/// ```
/// use traced_apalis::{TracedConsumer, TracedLayer};
///
/// let layer: TracedLayer = TracedConsumer::new().queue("emails").layer(); // may stand in a stack with others
/// assert!(format!("{layer:?}").contains("emails"));
/// ```
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
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use tower_layer::Layer;
/// use tower_service::Service;
/// use traced_apalis::apalis_core::error::BoxDynError;
/// use traced_apalis::apalis_core::task::Task;
/// use traced_apalis::{TracedConsumer, TracedService};
///
/// # #[derive(Clone)]
/// struct Handler;
///
/// impl Service<Task<u32>> for Handler {
///     type Response = u32;
///     type Error = BoxDynError;
///     type Future = std::future::Ready<Result<u32, BoxDynError>>;
/// #     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> { Poll::Ready(Ok(())) }
///
///     fn call(&mut self, task: Task<u32>) -> Self::Future {
///         std::future::ready(Ok(task.args + 1))
///     }
/// }
///
/// let mut service: TracedService<Handler> = TracedConsumer::new().layer().layer(Handler);
/// let mut now = Context::from_waker(Waker::noop());
/// assert!(Service::<Task<u32>>::poll_ready(&mut service, &mut now).is_ready());
/// let mut answer = service.call(Task::new(41));
/// assert!(matches!(answer.as_mut().poll(&mut now), Poll::Ready(Ok(42))));
/// ```
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

    fn call(&mut self, mut task: Task<Args>) -> Self::Future {
        if !self.innermost.is_this() {
            // What is between may try the task several times.
            task.inject_data(Delivery::default());
            return running::unboxed(self.inner.call(task));
        }
        let job = Job::start(&self.consumer, &task);
        job.run(|| self.inner.call(task))
    }
}
