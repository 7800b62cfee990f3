//! Jobs that make jobs: a workflow's steps, and a handler that enqueues.

use crate::often::Often;
use crate::support::{Database, SendEmail, email, until_ended};
use apalis_core::backend::TaskSink as _;
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_file_storage::JsonStorage;
use apalis_sqlite::{Config, SqliteStorage};
use apalis_workflow::{SteppedFlow, WorkflowSink as _};
use std::time::Duration;
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{Relation, TracedProducer, apalis_core};

#[tokio::test]
async fn a_workflows_steps_are_one_trace() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let storage = SqliteStorage::<u32>::new(&database.pool).with_config(Config::default().queue("sums"));
    let mut queue = TracedProducer::with_settings(storage, &capture.settings("shop")).queue("sums");
    queue.push_start(20).await?;
    let flow = SteppedFlow::new("sums")
        .and_then(|number: u32| async move { Ok::<_, BoxDynError>(number + 1) })
        .and_then(|number: u32| async move { Ok::<_, BoxDynError>(number * 2) })
        .and_then(|number: u32| async move {
            assert_eq!(number, 42);
            Ok::<_, BoxDynError>(())
        });
    let worker = WorkerBuilder::new("calculator").backend(queue.poll_with_strategy(Often::default())).build(flow);
    worker.run_until(until_ended(&capture, 6)).await?;
    capture.assert_trace(
        "
        push sums                      shop  PRODUCER
        └─ process sums                shop  CONSUMER  → push sums
           └─ push sums                shop  PRODUCER
              └─ process sums          shop  CONSUMER  → push sums
                 └─ push sums          shop  PRODUCER
                    └─ process sums    shop  CONSUMER  → push sums
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_step_that_is_delayed_is_linked_unless_the_relation_keeps_all_in_one_trace() -> Result<(), BoxDynError> {
    for relation in [Relation::Auto, Relation::Parent] {
        let (database, capture) = (Database::new().await?, Capture::new());
        let storage = SqliteStorage::<u32>::new(&database.pool).with_config(Config::default().queue("sums"));
        let settings = capture.settings("shop").relation(relation);
        let mut queue = TracedProducer::with_settings(storage, &settings).queue("sums");
        queue.push_start(20).await?;
        let flow = SteppedFlow::new("sums")
            .and_then(|number: u32| async move { Ok::<_, BoxDynError>(number + 1) })
            .delay_for(Duration::from_secs(1))
            .and_then(|_: u32| async move { Ok::<_, BoxDynError>(()) });
        let backend = queue.poll_with_strategy(Often::default());
        let worker = WorkerBuilder::new("calculator").backend(backend).build(flow);
        worker.run_until(until_ended(&capture, 6)).await?;
        assert_eq!(capture.trace_ids().len(), if relation == Relation::Parent { 1 } else { 2 }, "{}", capture.forest());
    }
    Ok(())
}

#[tokio::test]
async fn a_workflow_on_a_storage_without_queues_is_named_by_its_first_jobs_type_on_both_sides()
-> Result<(), BoxDynError> {
    let (capture, directory) = (Capture::new(), tempfile::tempdir()?);
    let storage = JsonStorage::<u32>::new(directory.path().join("jobs.json"))?;
    let mut queue = TracedProducer::with_settings(storage, &capture.settings("shop"));
    queue.push_start(42).await?;
    let flow = SteppedFlow::new("one step").and_then(|_: u32| async move { Ok::<_, BoxDynError>(()) });
    let worker = WorkerBuilder::new("calculator").backend(queue).build(flow);
    worker.run_until(until_ended(&capture, 2)).await?;
    capture.assert_trace(
        "
        push u32        shop  PRODUCER
        └─ process u32  shop  CONSUMER  → push u32
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_job_that_enqueues_a_job_continues_the_trace() -> Result<(), BoxDynError> {
    type Receipts = TracedProducer<apalis_core::backend::memory::MemoryStorage<u64>>;
    let capture = Capture::new();
    let mut emails = crate::support::memory(&capture.settings("shop"));
    let receipts = Receipts::with_settings(Default::default(), &capture.settings("mailer")).queue("receipts");
    emails.push(email()).await?;
    let receipts = std::sync::Arc::new(tokio::sync::Mutex::new(receipts));
    let worker = WorkerBuilder::new("mailer").backend(emails).data(receipts).build(
        async |_: SendEmail, receipts: Data<std::sync::Arc<tokio::sync::Mutex<Receipts>>>| -> Result<(), BoxDynError> {
            receipts.lock().await.push(7).await?;
            Ok(())
        },
    );
    worker.run_until(until_ended(&capture, 3)).await?;
    capture.assert_trace(
        "
        push SendEmail        shop    PRODUCER
        └─ process SendEmail  shop    CONSUMER  → push SendEmail
           └─ push receipts   mailer  PRODUCER
        ",
    );
    Ok(())
}
