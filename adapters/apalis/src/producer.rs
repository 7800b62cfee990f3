//! A backend whose jobs have spans.

use crate::TracedConsumer;
use crate::destination;
use crate::in_flight::InFlight;
use apalis_core::backend::BackendConfig;
use apalis_core::task::task_id::{GenerateId, TaskId};
use std::fmt;
use std::sync::Arc;
use traced_envelope::{Settings, Status, Telemetry};

/// A backend that enqueues each job with a span, whose context travels in the job's metadata, and whose workers run each job in a span.
///
/// It wraps any backend and is one: the verbs of apalis' `TaskSink` ([`push`], `push_bulk`, `push_stream`, `push_task`, `push_all`), a
/// workflow's `push_start`, and a worker's `.backend(..)` take it as they take the one inside.
///
/// ```
/// use traced_apalis::TracedProducer;
/// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
/// use traced_apalis::apalis_core::error::BoxDynError;
/// use traced_apalis::apalis_core::worker::{builder::WorkerBuilder, context::WorkerContext};
/// use traced_apalis::envelope::testing::Capture;
///
/// # struct SendEmail { to: String }
/// async fn send_email(email: SendEmail, worker: WorkerContext) -> Result<(), BoxDynError> {
///     assert_eq!(email.to, "ada@example.com");
///     worker.stop()?; // so that this example ends
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxDynError> {
/// let capture = Capture::new();
/// let mut queue = TracedProducer::with_settings(MemoryStorage::new(), &capture.settings("shop"));
/// queue.push(SendEmail { to: "ada@example.com".to_owned() }).await?;
/// WorkerBuilder::new("mailer").backend(queue).build(send_email).run().await?;
///
/// capture.assert_trace("
///     push SendEmail        shop  PRODUCER
///     └─ process SendEmail  shop  CONSUMER  → push SendEmail
/// ");
/// # Ok(()) }
/// ```
///
/// A clone, where the backend inside has them, shares nothing that waits to be flushed, as the backends' own clones do.
///
/// [`push`]: apalis_core::backend::TaskSink::push
pub struct TracedProducer<B> {
    pub(crate) backend: B,
    /// What its workers do with a job.
    pub(crate) consumer: TracedConsumer,
    pub(crate) in_flight: InFlight,
    /// Makes the id of a job that has none.
    pub(crate) task_id: Option<fn() -> TaskId>,
    pub(crate) builtin_context: bool,
}

impl<B> TracedProducer<B>
where
    B: BackendConfig,
    B::Id: GenerateId,
{
    /// Enqueues into and works from this backend, with the process-wide providers and propagator.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut queue = TracedProducer::new(MemoryStorage::new());
    /// queue.push(42).await?; // as before: it is a backend like any other
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(backend: B) -> Self {
        Self::with_settings(backend, &Settings::default())
    }

    /// Enqueues into and works from this backend, with settings of its own.
    ///
    /// ```
    /// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
    /// use traced_apalis::{TracedProducer, envelope::testing::Capture};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let capture = Capture::new();
    /// TracedProducer::with_settings(MemoryStorage::new(), &capture.settings("shop")).push(42).await?;
    /// capture.assert_trace("push i32  shop  PRODUCER");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_settings(backend: B, settings: &Settings) -> Self {
        let (system, keeps_ids) = destination::storage_of::<B>();
        Self {
            backend,
            consumer: TracedConsumer::with_settings(settings).system(system).of_jobs::<B::Args>(),
            in_flight: InFlight::default(),
            task_id: keeps_ids.then_some(B::Id::generate),
            builtin_context: false,
        }
    }
}

impl<B> TracedProducer<B> {
    /// Names the messaging system, `messaging.system`. Default: known by the crate of the backend (`sqlite`, `postgresql`, `redis`,
    /// `rabbitmq`, `file`, `memory`, ...), else `apalis`.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    ///
    /// let queue = TracedProducer::new(MemoryStorage::<u32>::new()).system("in-house");
    /// # let _ = queue;
    /// ```
    #[must_use]
    pub fn system(mut self, system: &'static str) -> Self {
        self.consumer = self.consumer.system(system);
        self
    }

    /// Names the queue, the spans' destination. Default: the task's queue where it has one, else the type of the jobs, which is what
    /// apalis' storages call a queue that nobody named. A storage with a named queue tells it to workers only: name it here too, so
    /// that both sides agree.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::{TaskSink as _, memory::MemoryStorage};
    /// use traced_apalis::envelope::testing::Capture;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let capture = Capture::new();
    /// let mut queue = TracedProducer::with_settings(MemoryStorage::new(), &capture.settings("shop")).queue("emails");
    /// queue.push("ada@example.com").await?;
    /// capture.assert_trace("push emails  shop  PRODUCER");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn queue(mut self, queue: impl Into<Arc<str>>) -> Self {
        self.consumer = self.consumer.queue(queue);
        self
    }

    /// Whether a job that has no id yet gets one of the backend's kind before it is stored, so that its first span has
    /// `messaging.message.id` too. Default: yes for apalis' own storages, but for AMQP, which keeps none; no for others, which may number their
    /// jobs by themselves. Without it the storage makes the id, unseen.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    ///
    /// let queue = TracedProducer::new(MemoryStorage::<u32>::new()).task_ids(false);
    /// # let _ = queue;
    /// ```
    #[must_use]
    pub fn task_ids(mut self, make: bool) -> Self
    where
        B: BackendConfig,
        B::Id: GenerateId,
    {
        self.task_id = make.then_some(B::Id::generate);
        self
    }

    /// Whether jobs carry their context under the key of apalis' own tracing layer too, for workers that still use that one. It holds
    /// a W3C context without baggage. Default: no, but where a task has such an entry it is replaced in any case.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    ///
    /// let queue = TracedProducer::new(MemoryStorage::<u32>::new()).builtin_context(true);
    /// # let _ = queue;
    /// ```
    #[must_use]
    pub fn builtin_context(mut self, write: bool) -> Self {
        self.builtin_context = write;
        self
    }

    /// The backend.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    ///
    /// let queue = TracedProducer::new(MemoryStorage::<u32>::new());
    /// let storage: &MemoryStorage<u32> = queue.get_ref();
    /// # let _ = storage;
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.backend
    }

    /// The backend, to be changed. Jobs that are pushed into it directly have no span.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let capture = traced_apalis::envelope::testing::Capture::new();
    /// let mut queue = TracedProducer::with_settings(MemoryStorage::new(), &capture.settings("shop"));
    /// queue.get_mut().push(42).await?;
    /// assert!(capture.spans().is_empty());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Gives the backend back. The spans of jobs that were not flushed yet end, as `cancelled`.
    ///
    /// ```
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    ///
    /// let storage: MemoryStorage<u32> = TracedProducer::new(MemoryStorage::new()).into_inner();
    /// # let _ = storage;
    /// ```
    #[must_use]
    pub fn into_inner(self) -> B {
        self.backend
    }

    /// Whether spans are made, or no SDK was seen so far.
    ///
    /// ```
    /// use traced_apalis::envelope::Status;
    /// use traced_apalis::TracedProducer;
    /// use traced_apalis::apalis_core::backend::memory::MemoryStorage;
    ///
    /// assert_eq!(TracedProducer::new(MemoryStorage::<u32>::new()).status(), Status::NoMessageYet);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.telemetry().status()
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.consumer.telemetry
    }
}

impl<B: Clone> Clone for TracedProducer<B> {
    fn clone(&self) -> Self {
        Self {
            backend: self.backend.clone(),
            consumer: self.consumer.clone(),
            in_flight: InFlight::default(),
            task_id: self.task_id,
            builtin_context: self.builtin_context,
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for TracedProducer<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracedProducer")
            .field("backend", &self.backend)
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}
