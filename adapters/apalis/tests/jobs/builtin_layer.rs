//! apalis' own tracing layer beside ours: each row of the table in the crate's documentation, and the way from one to the other.

use crate::often::Often;
use crate::support::{Database, SendEmail, email, memory, until_ended};
use apalis::layers::retry::RetryPolicy;
use apalis::layers::tracing::{ContextualTaskSpan, OtelTraceContext, TraceLayer, TracingContext};
use apalis::prelude::WorkerBuilderExt as _;
use apalis_core::backend::TaskSink as _;
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::attempt::Attempt;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_sqlite::{Config, SqliteStorage};
use apalis_workflow::{SteppedFlow, WorkflowSink as _};
use futures_util::{FutureExt as _, StreamExt as _};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, baggage::BaggageExt as _, global};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Once};
use traced_apalis::envelope::propagation::W3cPropagator;
use traced_apalis::envelope::testing::{Capture, CapturedSpan};
use traced_apalis::{TracedConsumer, TracedProducer, apalis_core};
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt as _;

const KEY: &str = "apalis_core.tracing.context";

/// Theirs knows the process-wide propagator only; ours has the same one by default.
fn propagator() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| global::set_text_map_propagator(W3cPropagator::new()));
}

/// Theirs makes `tracing` spans.
fn subscriber(capture: &Capture) -> impl tracing::Subscriber + Send + Sync + use<> {
    propagator();
    tracing_subscriber::registry().with(capture.layer("theirs"))
}

/// What their users write for each task.
fn by_hand() -> TracingContext {
    TracingContext::from(OtelTraceContext::current())
}

fn their_layer() -> TraceLayer<ContextualTaskSpan> {
    TraceLayer::new().make_span_with(ContextualTaskSpan::new())
}

async fn first<Args: Send + 'static>(mut storage: MemoryStorage<Args>) -> Task<Args> {
    storage.next().now_or_never().flatten().unwrap()
}

/// Inside a span as their users have it.
async fn in_their_span<F: Future>(capture: &Capture, future: F) -> F::Output {
    async { future.instrument(tracing::info_span!("checkout")).await }.with_subscriber(subscriber(capture)).await
}

/// A task that was pushed by hand inside a `tracing` span, through a worker with their layer.
async fn theirs_worked(capture: &Capture) -> Result<CapturedSpan, BoxDynError> {
    let mut queue = MemoryStorage::new();
    async {
        in_their_span(capture, async { queue.push_task(TaskBuilder::new(email()).metadata(&by_hand()).build()).await })
            .await?;
        let worker = WorkerBuilder::new("mailer").backend(queue).layer(their_layer()).build(async |_: SendEmail| ());
        worker.run_until(until_ended(capture, 2)).await?;
        Ok(capture.span("task"))
    }
    .with_subscriber(subscriber(capture))
    .await
}

#[tokio::test]
async fn push_carries_the_context_with_ours_only() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut theirs = MemoryStorage::new();
    in_their_span(&capture, theirs.push(email())).await?;
    assert!(first(theirs).await.metadata().is_empty());
    let mut ours = memory(&capture.settings("ours"));
    ours.push(email()).await?;
    assert!(first(ours.into_inner()).await.metadata().contains_key("traceparent"));
    Ok(())
}

#[tokio::test]
async fn an_opentelemetry_span_is_seen_by_ours_only() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let checkout = Context::new().with_span(capture.tracer("shop").start("checkout"));
    let theirs = async { by_hand() }.with_context(checkout.clone()).with_subscriber(subscriber(&capture)).await;
    assert_eq!(theirs.to_string(), "-;-;-;-");
    let mut ours = memory(&capture.settings("ours"));
    ours.push(email()).with_context(checkout.clone()).await?;
    checkout.span().end();
    assert_eq!(capture.span("push SendEmail").parent_id(), Some(capture.span("checkout").span_id()));
    Ok(())
}

#[tokio::test]
async fn a_push_has_a_span_with_ours_only() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    theirs_worked(&capture).await?;
    assert!(capture.spans().iter().all(|span| span.kind() != SpanKind::Producer));
    memory(&capture.settings("ours")).push(email()).await?;
    assert_eq!(capture.span("push SendEmail").kind(), SpanKind::Producer);
    Ok(())
}

#[tokio::test]
async fn a_jobs_span_says_what_it_is_with_ours_only() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let theirs = theirs_worked(&capture).await?;
    assert_eq!((theirs.name(), theirs.kind()), ("task", SpanKind::Internal));
    assert!(theirs.attributes().iter().all(|attribute| !attribute.key.as_str().starts_with("messaging.")));
    assert!(theirs.links().is_empty());

    let capture = Capture::new();
    let mut queue = memory(&capture.settings("ours"));
    queue.push(email()).await?;
    let worker = WorkerBuilder::new("mailer").backend(queue).build(async |_: SendEmail| ());
    worker.run_until(until_ended(&capture, 2)).await?;
    let ours = capture.span("process SendEmail");
    assert_eq!((ours.kind(), ours.links().len()), (SpanKind::Consumer, 1));
    assert!(ours.attribute("messaging.operation.type").is_some());
    Ok(())
}

#[tokio::test]
async fn attempts_are_counted_by_ours_only() -> Result<(), BoxDynError> {
    let second_time_lucky = async |_: SendEmail, attempt: Attempt| -> Result<(), BoxDynError> {
        if attempt.current() == 1 { Err("greylisted".into()) } else { Ok(()) }
    };
    let capture = Capture::new();
    let numbers = |key: &str, name: &str| {
        let spans = capture.spans();
        let spans = spans.iter().filter(|span| span.name() == name);
        spans.filter_map(|span| span.attribute(key)).map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut theirs = MemoryStorage::new();
    theirs.push(email()).await?;
    let worker = WorkerBuilder::new("mailer")
        .backend(theirs)
        .retry(RetryPolicy::retries(1))
        .layer(their_layer())
        .build(second_time_lucky);
    worker.run_until(until_ended(&capture, 2)).with_subscriber(subscriber(&capture)).await?;
    assert_eq!(numbers("attempt", "task"), ["1", "1"]);

    capture.clear();
    let mut ours = memory(&capture.settings("ours"));
    ours.push(email()).await?;
    let worker = WorkerBuilder::new("mailer")
        .backend(ours)
        .retry(RetryPolicy::retries(1))
        .layer(TracedConsumer::with_settings(&capture.settings("ours")).layer())
        .build(second_time_lucky);
    worker.run_until(until_ended(&capture, 3)).await?;
    assert_eq!(numbers("traced.message.attempt", "process SendEmail"), ["1", "2"]);
    Ok(())
}

#[tokio::test]
async fn baggage_arrives_with_ours_only() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let seen = Arc::new(Mutex::new(None));
    let handler = |seen: &Arc<Mutex<Option<bool>>>| {
        let seen = Arc::clone(seen);
        move |_: SendEmail| {
            let seen = Arc::clone(&seen);
            async move { *seen.lock().unwrap() = Some(Context::current().baggage().get("tenant.id").is_some()) }
        }
    };
    let tenant = Context::new().with_baggage([KeyValue::new("tenant.id", "acme")]);
    let mut theirs = MemoryStorage::new();
    let push = async { theirs.push_task(TaskBuilder::new(email()).metadata(&by_hand()).build()).await };
    in_their_span(&capture, push.with_context(tenant.clone())).await?;
    assert_eq!(capture.span("checkout").name(), "checkout");
    capture.clear();
    let worker = WorkerBuilder::new("mailer").backend(theirs).layer(their_layer()).build(handler(&seen));
    worker.run_until(until_ended(&capture, 1)).with_subscriber(subscriber(&capture)).await?;
    assert_eq!(seen.lock().unwrap().take(), Some(false));

    let mut ours = memory(&capture.settings("ours"));
    ours.push(email()).with_context(tenant).await?;
    capture.clear();
    let worker = WorkerBuilder::new("mailer").backend(ours).build(handler(&seen));
    worker.run_until(until_ended(&capture, 1)).await?;
    assert_eq!(seen.lock().unwrap().take(), Some(true));
    Ok(())
}

#[tokio::test]
async fn the_headers_of_the_w3c_are_written_by_ours_only() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut theirs = MemoryStorage::new();
    theirs.push_task(TaskBuilder::new(email()).metadata(&by_hand()).build()).await?;
    let keys = |task: &Task<SendEmail>| task.metadata().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&first(theirs).await), [KEY]);
    let mut ours = memory(&capture.settings("ours"));
    ours.push(email()).await?;
    assert!(keys(&first(ours.into_inner()).await).contains(&"traceparent".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_task_can_be_enqueued_again_with_ours_only() -> Result<(), BoxDynError> {
    let mut task = TaskBuilder::new(email()).metadata(&by_hand()).build();
    assert!(task.inject_metadata(&by_hand()).is_err());
    let again = AssertUnwindSafe(|| task.clone().into_builder().metadata(&by_hand()).build());
    assert!(catch_unwind(again).is_err(), "it panics");

    let capture = Capture::new();
    let mut ours = memory(&capture.settings("ours"));
    ours.push(email()).await?;
    let task = first(ours.into_inner()).await;
    let mut ours = memory(&capture.settings("ours"));
    ours.push_task(task).await?;
    let task = first(ours.into_inner()).await;
    let spans = capture.spans();
    let ours = spans.last().map(|span| span.span_id().to_string()).unwrap_or_default();
    assert!(task.metadata().get("traceparent").is_some_and(|context| context.contains(&ours)));
    Ok(())
}

#[tokio::test]
async fn a_workflows_steps_stay_together_with_ours_only() -> Result<(), BoxDynError> {
    // Not a function: its type names the backend.
    macro_rules! flow {
        () => {
            SteppedFlow::new("sums")
                .and_then(|number: u32| async move { Ok::<_, BoxDynError>(number + 1) })
                .and_then(|_: u32| async move { Ok::<_, BoxDynError>(()) })
        };
    }
    let (database, capture) = (Database::new().await?, Capture::new());
    let storage = SqliteStorage::<u32>::new(&database.pool).with_config(Config::default().queue("sums"));
    let mut theirs = storage.clone();
    async {
        theirs.push_start(20).await?;
        let worker = WorkerBuilder::new("calculator")
            .backend(theirs.poll_with_strategy(Often::default()))
            .layer(their_layer())
            .build(flow!());
        worker.run_until(until_ended(&capture, 2)).await?;
        Ok::<_, BoxDynError>(())
    }
    .with_subscriber(subscriber(&capture))
    .await?;
    assert_eq!(capture.trace_ids().len(), 2);

    capture.clear();
    let mut ours = TracedProducer::with_settings(storage, &capture.settings("ours")).queue("sums");
    ours.push_start(20).await?;
    let worker = WorkerBuilder::new("ours").backend(ours.poll_with_strategy(Often::default())).build(flow!());
    worker.run_until(until_ended(&capture, 4)).await?;
    capture.assert_one_trace();
    Ok(())
}

#[tokio::test]
async fn a_task_that_theirs_wrote_is_continued() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = MemoryStorage::new();
    let push = async { queue.push_task(TaskBuilder::new(email()).metadata(&by_hand()).build()).await };
    in_their_span(&capture, push).await?;
    let queue = TracedProducer::with_settings(queue, &capture.settings("ours"));
    let worker = WorkerBuilder::new("mailer").backend(queue).build(async |_: SendEmail| ());
    worker.run_until(until_ended(&capture, 2)).await?;
    capture.assert_trace(
        "
        checkout              theirs  INTERNAL
        └─ process SendEmail  ours    CONSUMER  → checkout
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_task_of_ours_is_continued_by_theirs_on_request() -> Result<(), BoxDynError> {
    for (builtin, traces) in [(true, 1), (false, 2)] {
        let capture = Capture::new();
        let mut queue = memory(&capture.settings("ours")).builtin_context(builtin);
        queue.push(email()).await?;
        let worker = WorkerBuilder::new("mailer")
            .backend(queue.into_inner())
            .layer(their_layer())
            .build(async |_: SendEmail| ());
        worker.run_until(until_ended(&capture, 2)).with_subscriber(subscriber(&capture)).await?;
        assert_eq!(capture.trace_ids().len(), traces);
        let parent = capture.span("task").parent_id();
        assert_eq!(parent, builtin.then(|| capture.span("push SendEmail").span_id()));
    }
    Ok(())
}
