//! Background jobs through `traced-apalis`, on each storage that apalis has for them.

mod metadata;
mod one_task;
mod storage;

use crate::Often;
use crate::unique::unique;
use crate::{Ability, Arrived, Settle, Spans, Transport};
use anyhow::{Context as _, Result, anyhow};
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::backend::ext::poll_strategy::PollWith;
use apalis_core::backend::{Backend as _, BackendConfig as _, TaskSink as _};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::metadata::MetadataStore;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::event::Event;
use futures_util::StreamExt as _;
use one_task::OneTask;
use std::fmt::{self, Display};
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use storage::Layer;
pub use storage::{Postgres, Redis, Sqlite, Storage};
use traced_apalis::{TracedLayer, TracedProducer, apalis_core};
use traced_envelope::Settings;

/// A storage is asked for jobs from time to time: nobody wakes it.
type Queue<S> = TracedProducer<PollWith<<S as Storage>::Backend, Often>>;
type WorkersLayer = tower_layer::Stack<TracedLayer, Layer>;

/// A storage, and a queue in it.
#[derive(Clone, Debug)]
pub struct ApalisTransport<S> {
    storage: S,
    queue: String,
}

/// A queue that is asked for jobs, as a worker does.
pub struct Consumer<S: Storage> {
    queue: Queue<S>,
    worker: WorkerContext,
    layer: WorkersLayer,
}

impl<S: Storage> fmt::Debug for Consumer<S> {
    /// Not every storage has something to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Consumer").field("worker", &self.worker).finish_non_exhaustive()
    }
}

/// A job, and the layers around its handler: those that the queue brings its worker.
#[derive(Debug)]
pub struct Delivery {
    task: Task<Vec<u8>>,
    layer: WorkersLayer,
}

/// A handler's error as apalis has it. The caller gets the handler's own.
#[derive(Debug)]
struct Failed(String);

impl Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

fn task(payload: &[u8], native: MetadataStore) -> Task<Vec<u8>> {
    TaskBuilder::new(payload.to_vec()).with_metadata(native).build()
}

impl<S: Storage> Transport for ApalisTransport<S> {
    const NAME: &'static str = "traced-apalis";
    const SYSTEM: &'static str = S::SYSTEM;
    const LACKS: &'static [(Ability, &'static str)] = &[
        (Ability::BatchPublish, "a storage takes tasks one by one: each has a send span of its own"),
        (Ability::BatchProcess, "a worker's handler gets one task"),
        (Ability::Pull, "a worker asks for tasks, an application does not"),
        (Ability::Redeliver, "a retried job links its creation context by default: the adapter's own tests retry"),
        (Ability::Republish, "a task that is pushed again is a task that is pushed"),
        (
            Ability::Restart,
            "a worker of apalis ends with its storage's connection: the adapter's own tests kill one in the middle of a job",
        ),
        (Ability::TypedErrors, "apalis boxes a handler's error"),
    ];

    type Native = MetadataStore;
    type Producer = TracedProducer<S::Backend>;
    type Consumer = Consumer<S>;
    type Delivery = Delivery;

    async fn shared() -> Result<Self> {
        Ok(Self { storage: S::shared().await?, queue: format!("orders-{}", unique()) })
    }

    async fn own() -> Result<Self> {
        Self::shared().await
    }

    async fn reconnect(&self) -> Result<Self> {
        Ok(Self { storage: S::shared().await?, queue: self.queue.clone() })
    }

    fn describe(&self) -> String {
        self.storage.describe()
    }

    fn address(&self) -> (&'static str, String) {
        self.storage.address()
    }

    fn spans(&self) -> Spans {
        let queue = &self.queue;
        Spans {
            publish: format!("push {queue}"),
            create: format!("create {queue}"),
            process: format!("process {queue}"),
            published_to: queue.clone(),
            consumed_from: queue.clone(),
        }
    }

    fn plain() -> MetadataStore {
        MetadataStore::new()
    }

    fn rich() -> MetadataStore {
        metadata::rich()
    }

    fn with_headers(native: MetadataStore, headers: &[(&str, &str)]) -> MetadataStore {
        metadata::with(native, headers)
    }

    fn foreign(headers: &[(&str, &str)]) -> Vec<(&'static str, MetadataStore)> {
        metadata::foreign(headers)
    }

    fn malformed() -> Vec<(&'static str, MetadataStore)> {
        metadata::malformed()
    }

    fn header(native: &MetadataStore, name: &str) -> Vec<String> {
        metadata::values(native, name)
    }

    fn without(native: &MetadataStore, names: &[&str]) -> MetadataStore {
        metadata::without(native, names)
    }

    fn producer(&self, settings: &Settings) -> TracedProducer<S::Backend> {
        TracedProducer::with_settings(self.storage.queue(&self.queue), settings).queue(&*self.queue)
    }

    async fn publish(
        &self,
        producer: &TracedProducer<S::Backend>,
        payload: &[u8],
        native: MetadataStore,
    ) -> Result<()> {
        Ok(producer.clone().push_task(task(payload, native)).await?)
    }

    async fn publish_bare(&self, payload: &[u8], native: MetadataStore) -> Result<()> {
        Ok(self.storage.queue(&self.queue).push_task(task(payload, native)).await?)
    }

    async fn consumer(&self, settings: &Settings) -> Result<Consumer<S>> {
        let storage = self.storage.queue(&self.queue).poll_with_strategy(Often::default());
        let mut queue = TracedProducer::with_settings(storage, settings).queue(&*self.queue);
        let mut worker = WorkerContext::from(unique());
        let layer = queue.middleware(&mut worker);
        Ok(Consumer { queue, worker, layer })
    }

    async fn next(consumer: &mut Consumer<S>) -> Result<Delivery> {
        let Consumer { queue, worker, layer } = consumer;
        let task = poll_fn(|cx| {
            std::task::ready!(queue.poll_ready(cx, worker))?;
            queue
                .poll_next_args(cx, worker)
                .map(|next| next.context("the storage has ended")?.map_err(|error| anyhow!("{error}")))
        });
        Ok(Delivery { task: task.await?, layer: layer.clone() })
    }

    async fn close(&self, consumer: Consumer<S>) -> Result<()> {
        let Consumer { mut queue, worker, .. } = consumer;
        Ok(poll_fn(|cx| queue.poll_close(cx, &worker)).await?)
    }

    /// A real worker, for one task.
    async fn process<H, F, R, E>(delivery: Delivery, _: Settle, handler: H) -> Result<R, E>
    where
        H: FnOnce(Arrived<MetadataStore>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Send + 'static,
    {
        let handler = Arc::new(Mutex::new(Some(handler)));
        let returned = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&returned);
        let Delivery { task, layer } = delivery;
        let worker = WorkerBuilder::new("worker").backend(OneTask::new(task, layer)).build(
            move |payload: Vec<u8>, native: MetadataStore| {
                let handler = taken(&handler).expect("one task is handled once");
                let slot = Arc::clone(&slot);
                async move {
                    let result = handler(Arrived { payload, native }).await;
                    let failed = result.as_ref().err().map(|error| Failed(error.to_string()));
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                    failed.map_or(Ok(()), |failed| Err(BoxDynError::from(failed)))
                }
            },
        );
        // A stream of any type: the compiler cannot tell that this one's own may go to another thread.
        let mut events = worker.stream().boxed();
        while let Some(event) = events.next().await {
            if matches!(event, Ok(Event::Success(_) | Event::Error(_)) | Err(_)) {
                break;
            }
        }
        taken(&returned).expect("the worker has handled its task")
    }
}

fn taken<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
