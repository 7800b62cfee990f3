//! A backend with one task that another one has fetched, so that a worker of apalis' handles it.

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::task_id::RandomId;
use apalis_core::worker::context::WorkerContext;
use std::convert::Infallible;
use std::task::{Context, Poll};
use traced_apalis::apalis_core;

#[derive(Debug)]
pub(super) struct OneTask<L> {
    task: Option<Task<Vec<u8>>>,
    layer: L,
}

impl<L> OneTask<L> {
    pub(super) fn new(task: Task<Vec<u8>>, layer: L) -> Self {
        Self { task: Some(task), layer }
    }
}

impl<L> Backend for OneTask<L> {
    type Task = Task<Vec<u8>>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Vec<u8>>, Infallible>>> {
        // The worker is dropped after its one task.
        self.task.take().map_or(Poll::Pending, |task| Poll::Ready(Some(Ok(task))))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl<L: Clone> BackendConfig for OneTask<L> {
    type Args = Vec<u8>;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = L;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> L {
        self.layer.clone()
    }
}
