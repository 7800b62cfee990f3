//! The same through each storage that needs no server.

use crate::often::Often;
use crate::support::{Database, SendEmail, email, memory, until_ended};
use apalis_core::backend::TaskSink;
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_file_storage::JsonStorage;
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{TracedProducer, apalis_core};

/// A macro, because a worker's bounds in a function's signature would be longer than the test.
macro_rules! one_trace {
    ($queue:expr, $capture:expr, $name:literal, $system:literal) => {{
        let (mut queue, capture): (_, &Capture) = ($queue, $capture);
        queue.push(email()).await?;
        let worker = WorkerBuilder::new("mailer").backend(queue).build(async |_: SendEmail| ());
        worker.run_until(until_ended(capture, 2)).await?;
        capture.assert_trace(concat!(
            "push ",
            $name,
            "  shop  PRODUCER  {messaging.system=",
            $system,
            "}\n",
            "  process ",
            $name,
            "  shop  CONSUMER  → push ",
            $name,
            "  {messaging.system=",
            $system,
            "}\n",
        ));
        let process = capture.span(concat!("process ", $name));
        assert_eq!(
            process.attribute("messaging.message.id"),
            capture.span(concat!("push ", $name)).attribute("messaging.message.id")
        );
        assert!(process.parent_is_remote());
    }};
}

#[tokio::test]
async fn memory_carries_the_trace() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    one_trace!(memory(&capture.settings("shop")), &capture, "SendEmail", "memory");
    Ok(())
}

#[tokio::test]
async fn a_file_carries_the_trace() -> Result<(), BoxDynError> {
    let (capture, directory) = (Capture::new(), tempfile::tempdir()?);
    let storage = JsonStorage::<SendEmail>::new(directory.path().join("jobs.json"))?;
    one_trace!(TracedProducer::with_settings(storage, &capture.settings("shop")), &capture, "SendEmail", "file");
    Ok(())
}

#[tokio::test]
async fn sqlite_carries_the_trace() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    one_trace!(database.queue(&capture.settings("shop")), &capture, "emails", "sqlite");
    Ok(())
}

#[tokio::test]
async fn apalis_own_decorators_work_inside_and_outside() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let queue = database.queue(&capture.settings("shop")).poll_with_strategy(Often::default());
    one_trace!(queue, &capture, "emails", "sqlite");

    let (database, capture) = (Database::new().await?, Capture::new());
    let storage = database.queue(&capture.settings("shop")).into_inner().poll_with_strategy(Often::default());
    let queue = TracedProducer::with_settings(storage, &capture.settings("shop")).queue("emails");
    one_trace!(queue, &capture, "emails", "sqlite");
    Ok(())
}
