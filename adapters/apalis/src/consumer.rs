//! What makes the spans of jobs that are worked on.

use crate::{TracedLayer, destination};
use apalis_core::task::ExecutionContext;
use std::sync::Arc;
use traced_envelope::{PreparedDestination, Settings, Status, Telemetry};

/// Makes the layers in which jobs run inside their spans.
///
/// A worker on a [`TracedProducer`](crate::TracedProducer) has such a layer already, outside of the worker's own layers: one span for
/// each delivery, in which a `.retry(..)` runs its attempts. Some cases need one by hand:
///
/// - **A span for each attempt** that a worker makes by itself: a layer that is added last, inside `.retry(..)`. The outer one then
///   stands aside, and the message is counted once. On a backend that is not wrapped add one before `.retry(..)` too, for that.
/// - **A worker on a backend that is not wrapped.**
/// - **Handlers that are spawned**, with `.parallelize(tokio::spawn)`: what is spawned runs outside of what is around it, spans included.
///   A layer that is added last is spawned with the handler. Or the context is taken along, though without the `tracing` span of feature
///   `tracing`: `.parallelize(|job| tokio::spawn(FutureExt::with_current_context(job)))`, with OpenTelemetry's
///   [`FutureExt`](opentelemetry::context::FutureExt).
/// - **Layers that end a job in their own way**, such as `.catch_panic(..)` with a handler of one's own: what they make of a panic is an
///   error like any other to the layer outside, and a panic to one that is added last.
///
/// ```
/// use apalis::layers::WorkerBuilderExt;
/// use apalis::layers::retry::RetryPolicy;
/// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
/// use traced_apalis::apalis_core::error::BoxDynError;
/// use traced_apalis::apalis_core::task::attempt::Attempt;
/// use traced_apalis::apalis_core::worker::{builder::WorkerBuilder, context::WorkerContext};
/// use traced_apalis::envelope::testing::Capture;
/// use traced_apalis::{Relation, TracedConsumer, TracedProducer};
///
/// async fn send_email(_: String, attempt: Attempt, worker: WorkerContext) -> Result<(), BoxDynError> {
///     if attempt.current() == 1 {
///         return Err("greylisted".into());
///     }
///     worker.stop()?; // so that this example ends
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxDynError> {
/// let capture = Capture::new();
/// let settings = capture.settings("mailer").relation(Relation::Parent);
/// let mut queue = TracedProducer::with_settings(MemoryStorage::new(), &settings).queue("emails");
/// queue.push("ada@example.com".to_owned()).await?;
///
/// let attempts = TracedConsumer::with_settings(&settings).queue("emails").layer();
/// let worker = WorkerBuilder::new("mailer").backend(queue).retry(RetryPolicy::retries(2)).layer(attempts);
/// worker.build(send_email).run().await?;
///
/// capture.assert_trace("
///     push emails        mailer  PRODUCER
///     ├─ process emails  mailer  CONSUMER  → push emails  ✗  {traced.message.attempt=1}
///     └─ process emails  mailer  CONSUMER  → push emails  {traced.message.attempt=2}
/// ");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TracedConsumer {
    pub(crate) telemetry: Telemetry,
    queue: Option<Arc<str>>,
    /// The type of the jobs, where a backend knows it: a workflow's worker gets them encoded.
    job: Option<&'static str>,
    /// Whether what a task has as its id is one.
    pub(crate) ids: bool,
}

impl Default for TracedConsumer {
    fn default() -> Self {
        Self::new()
    }
}

impl TracedConsumer {
    /// With the process-wide providers and propagator.
    ///
    /// ```
    /// use traced_apalis::TracedConsumer;
    ///
    /// let consumer = TracedConsumer::new().system("memory").queue("emails");
    /// assert!(format!("{consumer:?}").contains("emails"));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_settings(&Settings::default())
    }

    /// With settings of its own.
    ///
    /// ```
    /// use traced_apalis::{Relation, Settings, TracedConsumer};
    ///
    /// // Retried jobs are in the trace of the push, too.
    /// let consumer = TracedConsumer::with_settings(&Settings::default().relation(Relation::Parent));
    /// assert!(format!("{consumer:?}").contains("Parent"));
    /// ```
    #[must_use]
    pub fn with_settings(settings: &Settings) -> Self {
        Self { telemetry: crate::telemetry(destination::APALIS, settings), queue: None, job: None, ids: true }
    }

    /// Names the messaging system, `messaging.system`. Default: `apalis`. For `rabbitmq` spans have no `messaging.message.id`: apalis-amqp
    /// gives tasks the number of their delivery.
    ///
    /// ```
    /// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
    /// use traced_apalis::apalis_core::error::BoxDynError;
    /// use traced_apalis::apalis_core::worker::{builder::WorkerBuilder, context::WorkerContext};
    /// use traced_apalis::envelope::testing::Capture;
    /// use traced_apalis::TracedConsumer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxDynError> {
    /// let capture = Capture::new();
    /// let mut storage = MemoryStorage::new();
    /// storage.push(42).await?;
    /// let consumer = TracedConsumer::with_settings(&capture.settings("mailer")).system("memory");
    /// let worker = WorkerBuilder::new("mailer").backend(storage).layer(consumer.layer());
    /// worker.build(async |_: u32, worker: WorkerContext| worker.stop()).run().await?;
    /// let system = capture.span("process u32").attribute("messaging.system").map(ToString::to_string);
    /// assert_eq!(system.as_deref(), Some("memory"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn system(mut self, system: &'static str) -> Self {
        self.telemetry = crate::telemetry(system, self.telemetry.settings());
        self.ids = self.ids && destination::may_keep_ids(system);
        self
    }

    /// Names the queue, the spans' destination. Default: the task's queue, which most storages tell, else the type of the jobs.
    ///
    /// ```
    /// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
    /// use traced_apalis::apalis_core::error::BoxDynError;
    /// use traced_apalis::apalis_core::worker::{builder::WorkerBuilder, context::WorkerContext};
    /// use traced_apalis::envelope::testing::Capture;
    /// use traced_apalis::TracedConsumer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxDynError> {
    /// let capture = Capture::new();
    /// let mut storage = MemoryStorage::new();
    /// storage.push(42).await?;
    /// let consumer = TracedConsumer::with_settings(&capture.settings("mailer")).queue("emails");
    /// let worker = WorkerBuilder::new("mailer").backend(storage).layer(consumer.layer());
    /// worker.build(async |_: u32, worker: WorkerContext| worker.stop()).run().await?;
    /// capture.assert_trace("process emails  mailer  CONSUMER");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn queue(mut self, queue: impl Into<Arc<str>>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// A layer for a worker: each task that passes has a span `process {queue}` from here on inwards.
    ///
    /// ```
    /// use traced_apalis::TracedConsumer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    /// use traced_apalis::apalis_core::worker::builder::WorkerBuilder;
    ///
    /// let traced = TracedConsumer::new().system("memory").layer();
    /// let worker = WorkerBuilder::new("mailer").backend(MemoryStorage::<u32>::new()).layer(traced).build(async |_: u32| ());
    /// # let _ = worker;
    /// ```
    #[must_use]
    pub fn layer(&self) -> TracedLayer {
        TracedLayer::new(self.clone())
    }

    /// For jobs of this type.
    pub(crate) fn of_jobs<Args>(mut self) -> Self {
        self.job = Some(std::any::type_name::<Args>());
        self
    }

    /// Where a task comes from that is encoded as `Args`, or is not.
    pub(crate) fn destination<Args>(&self, operation: &'static str, task: &ExecutionContext) -> PreparedDestination {
        let queue = self.queue.as_deref().or(task.queue().map(AsRef::as_ref));
        let job = self.job.unwrap_or(std::any::type_name::<Args>());
        destination::of_queue(&self.telemetry, operation, queue, job)
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_apalis::TracedConsumer;
    /// use traced_apalis::envelope::Status;
    ///
    /// assert_eq!(TracedConsumer::new().status(), Status::NoMessageYet);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.telemetry.status()
    }
}
