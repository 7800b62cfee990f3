//! The spans of jobs that are worked on.

use crate::often::Often;
use crate::support::{Database, SendEmail, email, memory, until_ended};
use apalis_core::backend::TaskSink as _;
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::error::BoxDynError;
use apalis_core::task::attempt::Attempt;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::metadata::MetadataStore;
use apalis_core::worker::builder::WorkerBuilder;
use futures_util::FutureExt as _;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, Value};
use std::time::Duration;
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{Relation, Settings, TracedConsumer, TracedProducer, apalis_core};

const FOREIGN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Fails at the first attempt.
async fn second_time_lucky(_: SendEmail, attempt: Attempt) -> Result<(), BoxDynError> {
    if attempt.current() == 1 { Err("greylisted".into()) } else { Ok(()) }
}

#[tokio::test]
async fn a_handlers_spans_and_baggage_are_in_the_jobs_trace() -> Result<(), BoxDynError> {
    use opentelemetry::context::FutureExt as _;
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    let checkout = Context::new()
        .with_baggage([opentelemetry::KeyValue::new("tenant.id", "acme")])
        .with_span(capture.tracer("shop").start("checkout"));
    queue.push(email()).with_context(checkout.clone()).await?;
    checkout.span().end();

    let tracer = capture.tracer("shop");
    let worker = WorkerBuilder::new("mailer").backend(queue).build(move |_: SendEmail| {
        let tracer = tracer.clone();
        async move {
            tokio::task::yield_now().await;
            let tenant = Context::current().baggage().get("tenant.id").map(ToString::to_string);
            tracer.in_span(format!("render for {}", tenant.unwrap_or_default()), |_| ());
        }
    });
    worker.run_until(until_ended(&capture, 4)).await?;
    capture.assert_trace(
        "
        checkout                      shop  INTERNAL
        └─ push SendEmail             shop  PRODUCER
           └─ process SendEmail       shop  CONSUMER  → push SendEmail
              └─ render for acme      shop  INTERNAL
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_bare_backend_can_have_the_layer_alone() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    queue.push(email()).await?;
    let traced = TracedConsumer::with_settings(&capture.settings("mailer")).layer();
    let worker = WorkerBuilder::new("mailer").backend(queue.into_inner()).layer(traced).build(|_: SendEmail| async {});
    worker.run_until(until_ended(&capture, 2)).await?;
    capture.assert_trace(
        "
        push SendEmail        shop    PRODUCER  {messaging.system=memory}
        └─ process SendEmail  mailer  CONSUMER  → push SendEmail  {messaging.system=apalis}
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_storages_retry_links_and_can_be_told_to_continue() -> Result<(), BoxDynError> {
    for (relation, continued) in
        [(Relation::Auto, [true, false]), (Relation::Parent, [true; 2]), (Relation::Link, [false; 2])]
    {
        let (database, capture) = (Database::new().await?, Capture::new());
        let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
        let mut queue = database.queue(&capture.settings("shop").relation(relation));
        queue.push_task(TaskBuilder::new(email()).max_attempts(5).priority(3).build()).await?;
        let worker =
            WorkerBuilder::new("mailer").backend(queue.poll_with_strategy(Often::default())).build(second_time_lucky);
        worker.run_until(until_ended(&capture, 3)).await?;

        let push = capture.span("push emails");
        let spans = capture.spans();
        let attempts = spans.iter().filter(|span| span.name() == "process emails").collect::<Vec<_>>();
        assert_eq!(attempts.len(), 2);
        for ((span, number), continued) in attempts.iter().zip(1_i64..).zip(continued) {
            assert_eq!(span.parent_id(), continued.then_some(push.span_id()), "{relation:?}, attempt {number}");
            assert_eq!(span.links().first().map(|link| link.span_context.span_id()), Some(push.span_id()));
            let id = push.attribute("messaging.message.id");
            for (key, value) in [
                ("traced.message.attempt", Some(&Value::I64(number))),
                ("apalis.attempt", Some(&Value::I64(number))),
                ("apalis.max_attempts", Some(&Value::I64(5))),
                ("apalis.priority", Some(&Value::I64(3))),
                ("apalis.worker", Some(&"mailer".into())),
                ("messaging.message.id", id),
                ("messaging.system", Some(&"sqlite".into())),
                ("messaging.destination.name", Some(&"emails".into())),
                ("messaging.operation.name", Some(&"process".into())),
            ] {
                assert_eq!(span.attribute(key), value, "{key}");
            }
            assert!(id.is_some() && span.attribute("apalis.run_at").is_some());
            let Some(Value::I64(enqueued)) = span.attribute("apalis.enqueued_at") else { panic!("{span:?}") };
            assert!((0..30_000).contains(&(enqueued - now)), "{enqueued}");
            let Some(Value::F64(waited)) = span.attribute("traced.message.wait.duration") else { panic!("{span:?}") };
            assert!((0.0..30.0).contains(waited), "{waited}");
        }
        assert_eq!(attempts.iter().filter(|span| span.is_error()).count(), 1);
        assert_eq!(push.attribute("apalis.priority"), Some(&Value::I64(3)));
    }
    Ok(())
}

#[tokio::test]
async fn a_scheduled_and_an_old_job_link_where_they_came_from() -> Result<(), BoxDynError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let before = |seconds| (now - Duration::from_secs(seconds)).as_millis().to_string();
    for (enqueued, run_at, apart) in [
        (before(0), None, false),
        (before(0), Some(now.as_secs()), false),
        (before(30), Some(now.as_secs() - 30), false),
        (format!("{};{}", before(30), now.as_secs() - 20), Some(now.as_secs() - 20), true),
        (before(30), Some(now.as_secs() - 29), false), // stored a second after it was pushed
        (before(90), Some(now.as_secs() - 90), true),
        (String::new(), Some(now.as_secs() - 90), true),
        (String::new(), Some(now.as_secs() - 2), false),
    ] {
        let capture = Capture::new();
        let metadata = [("traceparent", FOREIGN), ("traced-enqueued-at", enqueued.as_str())];
        let metadata = metadata.into_iter().filter(|(_, value)| !value.is_empty());
        let task = TaskBuilder::new(email()).with_metadata(MetadataStore::from_iter(metadata));
        let task = if let Some(run_at) = run_at { task.run_at_timestamp(run_at) } else { task };
        let mut queue = memory(&capture.settings("mailer"));
        queue.get_mut().push_task(task.build()).await?; // as another process pushed it
        let worker = WorkerBuilder::new("mailer").backend(queue).build(|_: SendEmail| async {});
        worker.run_until(until_ended(&capture, 1)).await?;
        let span = capture.span("process SendEmail");
        assert_eq!(span.parent_id().is_none(), apart, "{enqueued} {run_at:?}");
        assert_eq!(span.links().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn concurrent_jobs_never_see_each_others_context() -> Result<(), BoxDynError> {
    use opentelemetry::context::FutureExt as _;
    let capture = Capture::new();
    let mut queue = TracedProducer::with_settings(MemoryStorage::<usize>::new(), &capture.settings("shop"));
    for number in 0..50 {
        let request = Context::new().with_baggage([opentelemetry::KeyValue::new("request", number.to_string())]);
        queue.push(number).with_context(request).await?;
    }
    let tracer = capture.tracer("mailer");
    let worker = WorkerBuilder::new("mailer").backend(queue).build(move |number: usize| {
        let tracer = tracer.clone();
        async move {
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            let request = Context::current().baggage().get("request").map(ToString::to_string);
            assert_eq!(request, Some(number.to_string()));
            tracer.in_span("render", |_| ());
        }
    });
    worker.run_until(until_ended(&capture, 150)).await?;
    assert_eq!(capture.trace_ids().len(), 50);
    assert!(Context::current().baggage().is_empty() && !Context::current().has_active_span());
    for tree in capture.forest().roots() {
        let process = tree.children().next().ok_or("no process span")?;
        assert_eq!(process.span().kind(), SpanKind::Consumer);
        assert_eq!(process.children().count(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_inside_a_span_does_not_collect_its_jobs_in_one_trace() -> Result<(), BoxDynError> {
    use opentelemetry::context::FutureExt as _;
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    queue.push_bulk(vec![email(), email()]).await?;
    queue.get_mut().push(email()).await?; // bare
    let around = Context::new().with_span(capture.tracer("mailer").start("worker loop"));
    let worker = WorkerBuilder::new("mailer").backend(queue).build(|_: SendEmail| async {});
    worker.run_until(until_ended(&capture, 5)).with_context(around.clone()).await?;
    around.span().end();
    assert_eq!(capture.trace_ids().len(), 4);
    capture.assert_trace(
        "
        worker loop           mailer  INTERNAL
        push SendEmail        shop    PRODUCER
        └─ process SendEmail  shop    CONSUMER  → push SendEmail, worker loop
        push SendEmail        shop    PRODUCER
        └─ process SendEmail  shop    CONSUMER  → push SendEmail, worker loop
        process SendEmail     shop    CONSUMER  → worker loop
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_job_without_a_context_starts_a_trace_and_is_counted() -> Result<(), BoxDynError> {
    // The other one was pushed where apalis' layer saw no span.
    for metadata in [vec![], vec![("apalis_core.tracing.context", "-;-;-;-")]] {
        let capture = Capture::new();
        let mut queue = memory(&capture.settings("mailer"));
        let task = TaskBuilder::new(email()).with_metadata(MetadataStore::from_iter(metadata)).build();
        queue.get_mut().push_task(task).await?;
        let worker = WorkerBuilder::new("mailer").backend(queue).build(|_: SendEmail| async {});
        worker.run_until(until_ended(&capture, 1)).await?;
        capture.assert_trace("process SendEmail  mailer  CONSUMER");
        let missing = capture.metric("traced.context.missing");
        assert_eq!((missing.value(), missing.attribute("traced.context.reason")), (1.0, Some(&"absent".into())));
    }
    Ok(())
}

#[tokio::test]
async fn without_an_sdk_context_and_baggage_pass_through_a_job() -> Result<(), BoxDynError> {
    use opentelemetry::context::FutureExt as _;
    let (mut queue, mut next) = (memory(&Settings::default()), memory(&Settings::default()));
    let metadata = MetadataStore::from_iter([("traceparent", FOREIGN), ("baggage", "tenant.id=acme")]);
    queue.get_mut().push_task(TaskBuilder::new(email()).with_metadata(metadata).build()).await?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let worker = WorkerBuilder::new("mailer").backend(queue).build(move |_: SendEmail| {
        let sender = sender.clone();
        async move {
            tokio::task::yield_now().await;
            sender.send(Context::current()).await.ok();
        }
    });
    let capture = Capture::new();
    let running = tokio::spawn(worker.run_until(until_ended(&capture, 1)));
    let context = crate::support::soon(receiver.recv()).await?.ok_or("no context")?;
    next.push(email()).with_context(context).await?;
    running.abort();
    let task = futures_util::StreamExt::next(&mut next.into_inner()).now_or_never().flatten().ok_or("no task")?;
    assert_eq!(task.metadata().get("traceparent"), Some(FOREIGN));
    assert_eq!(task.metadata().get("baggage"), Some("tenant.id=acme"));
    Ok(())
}
