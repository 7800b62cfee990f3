//! Every way into a queue.

use crate::support::{Database, SendEmail, email, memory};
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::backend::{BackendConfig, TaskSink};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::metadata::MetadataStore;
use apalis_core::task::task_id::TaskId;
use futures_util::{FutureExt as _, SinkExt, StreamExt as _, stream};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, baggage::BaggageExt as _};
use std::collections::HashSet;
use std::time::Duration;
use traced_apalis::envelope::testing::{Capture, CapturedSpan};
use traced_apalis::envelope::{ExistingContext, Propagation};
use traced_apalis::{TracedProducer, apalis_core};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const FOREIGN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What is in the queue.
async fn drain(queue: TracedProducer<MemoryStorage<SendEmail>>) -> Vec<Task<SendEmail>> {
    let mut storage = queue.into_inner();
    std::iter::from_fn(|| storage.next().now_or_never().flatten()).collect()
}

fn trace_parent(span: &CapturedSpan) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
}

#[tokio::test]
async fn every_verb_gives_each_job_a_span_whose_context_is_in_its_metadata() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    let checkout = Context::new()
        .with_baggage([KeyValue::new("tenant.id", "acme")])
        .with_span(capture.tracer("shop").start("checkout"));
    async {
        queue.push(email()).await?;
        queue.push_bulk(vec![email(), email()]).await?;
        queue.push_stream(stream::iter([email(), email()])).await?;
        queue.push_task(Task::new(email())).await?;
        queue.push_all(stream::iter([Task::new(email())])).await?;
        queue.push_task(TaskBuilder::new(email()).run_after(Duration::from_secs(3600)).build()).await?;
        Ok::<_, BoxDynError>(())
    }
    .with_context(checkout.clone())
    .await?;
    checkout.span().end();

    let tasks = drain(queue).await;
    let spans = capture.spans();
    let pushed = spans.iter().filter(|span| span.name() == "push SendEmail").collect::<Vec<_>>();
    assert_eq!((tasks.len(), pushed.len()), (8, 8));
    let checkout = capture.span("checkout");
    for (task, span) in tasks.iter().zip(&pushed) {
        assert_eq!(span.parent_id(), Some(checkout.span_id()));
        assert_eq!((span.kind(), span.is_error()), (SpanKind::Producer, false));
        assert_eq!(task.metadata().get("traceparent"), Some(&*trace_parent(span)));
        assert_eq!(task.metadata().get("baggage"), Some("tenant.id=acme"));
        let id = task.task_id().map(ToString::to_string).ok_or("an id")?;
        assert_eq!(span.attribute("messaging.message.id"), Some(&id.into()));
        assert_eq!(span.attribute("messaging.system"), Some(&"memory".into()));
        assert_eq!(span.attribute("messaging.operation.type"), Some(&"send".into()));
    }
    assert_eq!(pushed.iter().map(|span| span.span_id()).collect::<HashSet<_>>().len(), 8);
    let scheduled = tasks.last().and_then(|task| task.run_at()).ok_or("a time")?;
    assert_eq!(pushed.last().and_then(|span| span.attribute("apalis.run_at")), Some(&i64::try_from(scheduled)?.into()));
    Ok(())
}

#[tokio::test]
async fn a_jobs_arguments_are_stored_as_they_are_and_its_own_metadata_stays() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let mut queue = database.queue(&capture.settings("shop"));
    let metadata = MetadataStore::from_iter([("x-tenant", "acme"), ("note", "a;b=\"ü\"")]);
    queue.push_task(TaskBuilder::new(email()).with_metadata(metadata).build()).await?;

    let (arguments, metadata) = database.stored().await?;
    assert_eq!(arguments, r#"{"to":"ada@example.com"}"#);
    let metadata: std::collections::HashMap<String, String> = serde_json::from_str(&metadata)?;
    let mut keys = metadata.keys().map(String::as_str).collect::<Vec<_>>();
    keys.sort_unstable();
    assert_eq!(keys, ["note", "traced-enqueued-at", "traceparent", "x-tenant"]);
    assert_eq!(metadata.get("note").map(String::as_str), Some("a;b=\"ü\""));
    Ok(())
}

#[tokio::test]
async fn an_id_of_the_callers_is_kept() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    queue.push_task(TaskBuilder::new(email()).task_id(TaskId::from_string("order-7")).build()).await?;
    assert_eq!(capture.span("push SendEmail").attribute("messaging.message.id"), Some(&"order-7".into()));
    assert_eq!(drain(queue).await.first().and_then(|task| task.task_id()), Some(&TaskId::from_string("order-7")));

    capture.clear();
    let mut queue = memory(&capture.settings("shop")).task_ids(false);
    queue.push(email()).await?;
    assert_eq!(capture.span("push SendEmail").attribute("messaging.message.id"), None);
    Ok(())
}

#[tokio::test]
async fn a_storages_error_ends_the_span_and_comes_back() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    sqlx::query("DROP TABLE Jobs").execute(&database.pool).await?;
    let mut queue = database.queue(&capture.settings("shop"));
    let error = queue.push_bulk(vec![email(), email()]).await.err().ok_or("it was stored")?;
    assert!(error.to_string().contains("no such table: Jobs"), "{error}");
    let spans = capture.spans();
    assert_eq!(spans.len(), 2, "each job's span ends");
    for span in spans {
        assert_eq!(span.attribute("error.type"), Some(&"apalis_sqlite::error::Error".into()));
        let opentelemetry::trace::Status::Error { description } = span.status() else { panic!("{span:?}") };
        assert!(description.contains("no such table: Jobs"), "{description}");
    }
    capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn a_job_whose_push_was_dropped_is_stored_by_the_next_flush_and_its_span_ends_then() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let mut queue = database.queue(&capture.settings("shop"));
    let task = Task::new(serde_json::to_vec(&email())?);
    queue.feed(task).await?; // what `push` does before it flushes
    assert_eq!(capture.open_spans().len(), 1, "nothing is stored yet");
    SinkExt::flush(&mut queue).await?;
    capture.assert_trace("push emails  shop  PRODUCER");

    queue.feed(Task::new(serde_json::to_vec(&email())?)).await?;
    drop(queue);
    assert_eq!(capture.spans().iter().filter(|span| span.is_error()).count(), 1, "what was never flushed is cancelled");
    capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_enqueued_again_has_one_context_and_links_the_old_one() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    let stale = [
        ("TraceParent", FOREIGN),
        ("tracestate", "a=1"),
        ("baggage", "old=1"),
        ("apalis_core.tracing.context", "5bf92f3577b34da6a3ce929d0e0e4736;00f067aa0ba902b7;1;-"),
    ];
    queue.push_task(TaskBuilder::new(email()).with_metadata(MetadataStore::from_iter(stale)).build()).await?;
    let once = drain(queue).await.pop().ok_or("a task")?;
    let mut queue = memory(&capture.settings("shop"));
    queue.push_task(once).await?;
    let twice = drain(queue).await.pop().ok_or("a task")?;

    let spans = capture.spans();
    let [first, second] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(first.links().first().map(|link| link.span_context.trace_id().to_string()).as_deref(), Some(TRACE));
    assert_eq!(second.links().first().map(|link| link.span_context.span_id()), Some(first.span_id()));
    assert_ne!(first.trace_id(), second.trace_id());
    let mut keys = twice.metadata().keys().map(String::as_str).collect::<Vec<_>>();
    keys.sort_unstable();
    assert_eq!(keys, ["apalis_core.tracing.context", "traced-enqueued-at", "traceparent"]);
    assert_eq!(twice.metadata().get("traceparent"), Some(&*trace_parent(second)));
    let theirs = format!("{};{};1;-", second.trace_id(), second.span_id());
    assert_eq!(twice.metadata().get("apalis_core.tracing.context"), Some(&*theirs));
    Ok(())
}

#[tokio::test]
async fn a_context_that_is_kept_stays_as_it_is() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let settings = capture.settings("shop").existing_context(ExistingContext::Keep);
    let mut queue = memory(&settings);
    let metadata = MetadataStore::from_iter([("traceparent", FOREIGN), ("baggage", "old=1")]);
    queue.push_task(TaskBuilder::new(email()).with_metadata(metadata.clone()).build()).await?;
    assert_eq!(drain(queue).await.first().map(|task| task.metadata()), Some(&metadata));
    let span = capture.span("push SendEmail");
    assert_eq!((span.kind(), span.links().len()), (SpanKind::Client, 1));
    Ok(())
}

#[tokio::test]
async fn a_context_that_is_kept_is_enqueued_now_all_the_same() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    for settings in [
        capture.settings("shop").existing_context(ExistingContext::Keep),
        capture.settings("shop").propagation(Propagation::ExtractOnly),
    ] {
        let mut queue = memory(&settings);
        let metadata =
            [("traceparent", FOREIGN), ("traced-enqueued-at", "1600000000000;1600000060"), ("x-tenant", "acme")];
        queue.push_task(TaskBuilder::new(email()).with_metadata(MetadataStore::from_iter(metadata)).build()).await?;
        let task = drain(queue).await.pop().ok_or("a task")?;
        assert_eq!((task.metadata().len(), task.metadata().get("traceparent")), (3, Some(FOREIGN)));
        let enqueued = task.metadata().get("traced-enqueued-at").and_then(|millis| millis.parse::<u64>().ok());
        assert!(enqueued.is_some_and(|millis| millis > 1_700_000_000_000), "{:?}", task.metadata());
    }
    Ok(())
}

#[tokio::test]
async fn what_is_switched_off_leaves_jobs_untouched() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let untouched = async |mut queue: TracedProducer<MemoryStorage<SendEmail>>| {
        queue.push(email()).await?;
        let task = drain(queue).await.pop().ok_or("a task")?;
        assert_eq!(task.metadata(), &MetadataStore::new());
        Ok::<_, BoxDynError>(())
    };
    untouched(memory(&capture.settings("shop").enabled(false))).await?;
    let quiet = Context::new().with_telemetry_suppressed();
    untouched(memory(&capture.settings("shop"))).with_context(quiet).await?;
    untouched(memory(&traced_apalis::Settings::default())).await?; // neither an SDK nor a context
    assert!(capture.spans().is_empty());
    untouched(memory(&capture.settings("shop").propagation(Propagation::ExtractOnly))).await?;
    assert_eq!(capture.spans().len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_backend_is_there_to_be_used_and_comes_back() -> Result<(), BoxDynError> {
    let database = Database::new().await?;
    let mut queue = database.queue(&traced_apalis::Settings::default());
    assert_eq!(queue.get_ref().config().queue.as_ref(), "emails");
    assert_eq!(queue.config().batch_size, 1);
    queue.get_mut().push(email()).await?;
    assert_eq!(queue.clone().into_inner().config().queue.as_ref(), "emails");
    assert_eq!(database.stored().await?.1, "{}", "past us, without a context");
    Ok(())
}
