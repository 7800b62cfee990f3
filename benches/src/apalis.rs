//! apalis: its storage in memory, and a handler behind a layer, without a worker.
//!
//! Beside ours stands what apalis has itself: a `tracing` span around the push whose context its users write into the metadata, and its
//! own layer, with the bridge from `tracing` to OpenTelemetry that it needs.

use crate::budget::Limits;
use crate::scene::Scene;
use crate::sdk::{Sdk, given, sampled_provider, settings};
use apalis::layers::tracing::{ContextualTaskSpan, OtelTraceContext, TraceLayer, TracingContext};
use apalis_core::backend::TaskSink as _;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use futures_util::{FutureExt, StreamExt};
use opentelemetry::trace::TracerProvider as _;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use tower_layer::Layer;
use tower_service::Service;
use traced_apalis::{Settings, TracedConsumer, TracedProducer};
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

/// A job.
#[derive(Clone, Debug)]
struct SendEmail {
    to: &'static str,
}

const EMAIL: SendEmail = SendEmail { to: "ada@example.com" };
/// What apalis offers itself.
const BUILT_IN: &str = "apalis' own";

/// In order; each is to be made when the one before it is dropped.
pub(crate) const SCENES: [fn() -> Scene; 4] = [push_sampled, push_without_sdk, run_sampled, run_without_sdk];

/// apalis' layer makes `tracing` spans, and has no other way to an SDK. Current in its own cases only: with our feature `tracing`, ours
/// would make such spans too.
fn subscriber() -> Dispatch {
    let tracer = sampled_provider().tracer("apalis");
    Dispatch::new(tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer)))
}

fn bare_push() -> impl FnMut() + 'static {
    let mut storage = MemoryStorage::new();
    move || {
        black_box(storage.push(EMAIL).now_or_never());
        taken(&mut storage);
    }
}

/// What is stored is taken out again: a queue does not grow.
fn taken(storage: &mut MemoryStorage<SendEmail>) {
    black_box(storage.next().now_or_never());
}

fn traced_push(settings: &Settings) -> impl FnMut() + 'static {
    let mut storage = TracedProducer::with_settings(MemoryStorage::new(), settings);
    move || {
        black_box(storage.push(EMAIL).now_or_never());
        taken(storage.get_mut());
    }
}

fn push_sampled() -> Scene {
    Sdk::Sampled.install();
    let subscriber = subscriber();
    let mut theirs = MemoryStorage::new();
    Scene::new("apalis: push into memory, sampled", None, bare_push())
        .case(BUILT_IN, move || {
            with_default(&subscriber, || {
                let span = tracing::info_span!("push", queue = "emails").entered();
                let context = TracingContext::from(OtelTraceContext::current());
                let task = TaskBuilder::new(EMAIL).metadata(&context).build();
                black_box(theirs.push_task(task).now_or_never());
                drop(span);
            });
            taken(&mut theirs);
        })
        .case("traced", traced_push(&settings()))
        .must(Limits::allocations(15))
        .case("traced, provider given", traced_push(&given()))
        .case("traced, with metrics", traced_push(&settings().metrics(true)))
        .must(Limits::allocations(15))
        .case("traced, switched off", traced_push(&settings().enabled(false)))
        .must(Limits::allocations(0))
}

fn push_without_sdk() -> Scene {
    Sdk::Absent.install();
    Scene::new("apalis: push into memory, no SDK", None, bare_push())
        .case("traced", traced_push(&settings()))
        .must(Limits::allocations(3))
}

/// The handler of all cases.
#[derive(Clone, Copy, Debug)]
struct Handler;

impl Service<Task<SendEmail>> for Handler {
    type Response = ();
    type Error = BoxDynError;
    type Future = Ready<Result<(), BoxDynError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<SendEmail>) -> Self::Future {
        black_box(task.args.to);
        ready(Ok(()))
    }
}

/// Handles a copy of the task each time, as a worker does that was handed it.
fn worked<S: Service<Task<SendEmail>> + 'static>(mut service: S, task: Task<SendEmail>) -> impl FnMut() + 'static {
    move || {
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        if ready.is_ready() {
            black_box(service.call(task.clone()).now_or_never());
        }
    }
}

/// A job as ours has stored it, with an id and both contexts.
fn stored() -> Task<SendEmail> {
    let mut storage = TracedProducer::with_settings(MemoryStorage::new(), &given()).builtin_context(true);
    black_box(storage.push(EMAIL).now_or_never());
    let stored = storage.get_mut().next().now_or_never().flatten();
    stored.unwrap_or_else(|| TaskBuilder::new(EMAIL).build())
}

fn running(title: &'static str, sdk: Sdk, task: &Task<SendEmail>) -> Scene {
    sdk.install();
    Scene::new(title, None, worked(Handler, task.clone()))
}

fn traced(settings: &Settings, task: &Task<SendEmail>) -> impl FnMut() + 'static {
    worked(
        TracedConsumer::with_settings(settings).system("memory").queue("emails").layer().layer(Handler),
        task.clone(),
    )
}

fn run_sampled() -> Scene {
    let (subscriber, task) = (subscriber(), stored());
    let layer = TraceLayer::new().make_span_with(ContextualTaskSpan::new());
    let mut theirs = worked(layer.layer(Handler), task.clone());
    running("apalis: run a job, sampled", Sdk::Sampled, &task)
        .case(BUILT_IN, move || with_default(&subscriber, &mut theirs))
        .case("traced", traced(&settings(), &task))
        .must(Limits::allocations(10))
        .case("traced, provider given", traced(&given(), &task))
        .case("traced, with metrics", traced(&settings().metrics(true), &task))
        .must(Limits::allocations(10))
        .case("traced, switched off", traced(&settings().enabled(false), &task))
        .must(Limits::allocations(1))
}

fn run_without_sdk() -> Scene {
    let task = TaskBuilder::new(EMAIL).build();
    running("apalis: run a job, no SDK, nothing to carry", Sdk::Absent, &task)
        .case("traced", traced(&settings(), &task))
        .must(Limits::allocations(3))
}
