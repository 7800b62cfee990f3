//! Jobs that a storage gives out later: once more, and for the first time.

use anyhow::{Result, anyhow};
use integration_tests::Often;
use integration_tests::{Storage, unique};
use opentelemetry::Value;
use std::time::Duration;
use traced_apalis::TracedProducer;
use traced_apalis::apalis_core::backend::TaskSink as _;
use traced_apalis::apalis_core::backend::ext::BackendExt as _;
use traced_apalis::apalis_core::task::builder::TaskBuilder;
use traced_apalis::apalis_core::worker::builder::WorkerBuilder;
use traced_envelope::testing::Capture;

use crate::in_process::{assert_was_put_off, named, second_time_lucky, until_ended};
use crate::worker::NEVER;

/// A handler's error: the storage has it tried again, which is attempt 2 and links the push.
pub(crate) async fn a_failed_job_is_retried_and_linked<S: Storage>() -> Result<()> {
    let (capture, name) = (Capture::new(), format!("orders-{}", unique()));
    // Held: a server ends with the last one that uses it.
    let storage = S::shared().await?;
    let backend = storage.workers_queue(&name, NEVER);
    let mut queue = TracedProducer::with_settings(backend, &capture.settings("shop")).queue(&*name);
    queue.push(b"order".to_vec()).await?;
    let worker =
        WorkerBuilder::new(unique()).backend(queue.poll_with_strategy(Often::default())).build(second_time_lucky());
    worker.run_until(until_ended(&capture, 3)).await.map_err(|error| anyhow!("{error}"))?;

    let [push] = &*named(&capture, &format!("push {name}")) else { panic!("{}", capture.forest()) };
    let [first, again] = &*named(&capture, &format!("process {name}")) else { panic!("{}", capture.forest()) };
    assert_eq!((first.parent_id(), first.is_error()), (Some(push.span_id()), true));
    assert_eq!((again.parent_id(), again.is_error()), (None, false));
    for (span, attempt) in [(first, 1), (again, 2)] {
        assert_eq!(span.links().first().map(|link| link.span_context.span_id()), Some(push.span_id()));
        assert_eq!(span.attribute("traced.message.attempt"), Some(&Value::I64(attempt)));
        assert_eq!(span.attribute("apalis.attempt"), Some(&Value::I64(attempt)));
        assert_eq!(span.attribute("messaging.message.id"), push.attribute("messaging.message.id"));
    }
    Ok(())
}

/// Put off by the producer: the process span says for when, and how long it waited since then.
pub(crate) async fn a_job_that_was_put_off_waits_from_when_it_was_due<S: Storage>() -> Result<()> {
    let (capture, name) = (Capture::new(), format!("orders-{}", unique()));
    // Held: a server ends with the last one that uses it.
    let storage = S::shared().await?;
    let backend = storage.workers_queue(&name, NEVER);
    let mut queue = TracedProducer::with_settings(backend, &capture.settings("shop")).queue(&*name);
    let job = TaskBuilder::new(b"order".to_vec()).run_after(Duration::from_secs(2)).build();
    queue.push_task(job).await?;
    let worker = WorkerBuilder::new(unique()).backend(queue.poll_with_strategy(Often::default()));
    let worker = worker.build(async |_: Vec<u8>| ());
    worker.run_until(until_ended(&capture, 2)).await.map_err(|error| anyhow!("{error}"))?;

    let [push] = &*named(&capture, &format!("push {name}")) else { panic!("{}", capture.forest()) };
    let [process] = &*named(&capture, &format!("process {name}")) else { panic!("{}", capture.forest()) };
    assert_was_put_off(push, process)
}
