//! A traced backend is a backend: what it does not trace goes to the one inside.

use crate::{TracedLayer, TracedProducer};
use apalis_core::backend::{
    Backend, BackendConfig, FetchById, Filter, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics, QueueInfo,
    RegisterWorker, Reschedule, ResumeAbandoned, ResumeById, RunningWorker, Statistic, TaskResult, Update, Vacuum,
    WaitForCompletion, WireFormatBackend,
};
use apalis_core::task::Task;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Stack;

impl<B: Backend> Backend for TracedProducer<B> {
    type Task = B::Task;
    type Error = B::Error;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), B::Error>> {
        self.backend.poll_ready(cx, worker)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Option<Result<B::Task, B::Error>>> {
        self.backend.poll_next(cx, worker)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), B::Error>> {
        self.backend.poll_close(cx, worker)
    }
}

impl<B: BackendConfig> BackendConfig for TracedProducer<B> {
    type Args = B::Args;
    type Id = B::Id;
    type Kind = B::Kind;
    type Config = B::Config;
    /// Inside of the backend's own, which locks and acknowledges tasks, and outside of the worker's.
    type Layer = Stack<TracedLayer, B::Layer>;

    fn config(&self) -> &Self::Config {
        self.backend.config()
    }

    fn middleware(&mut self, worker: &mut WorkerContext) -> Self::Layer {
        Stack::new(self.consumer.layer(), self.backend.middleware(worker))
    }
}

impl<B: WireFormatBackend> WireFormatBackend for TracedProducer<B> {
    type Codec = B::Codec;
    type Compact = B::Compact;

    fn codec(&self) -> &Self::Codec {
        self.backend.codec()
    }
}

// A task that is updated or rescheduled keeps its metadata, and with that its creation context: no span is made.
apalis_core::delegate_expose!(
    impl<B> for TracedProducer<B>
    where {
        B: Backend + Send,
    }
    => backend
);
