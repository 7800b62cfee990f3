//! A worker process that is killed in the middle of a job, which another one picks up.

use anyhow::Result;
use integration_tests::Storage;
use serde_json::{Value, json};
use traced_apalis::apalis_core::backend::TaskSink as _;
use traced_envelope::testing::CapturedSpan;

use crate::worker::{NEVER, Queue, Said, WAITS, field};

/// For the storages a worker is dead after so many seconds without a sign of life.
const DEAD_AFTER: usize = 4;

/// By default another attempt starts a trace of its own, which links the push.
pub(crate) async fn the_job_is_picked_up_and_linked<S: Storage>() -> Result<()> {
    let (push, process) = killed::<S>("auto").await?;
    let again = field(&process, "trace").as_str();
    assert!(again.is_some_and(|trace| trace != push.trace_id().to_string()), "{process}");
    assert_eq!(*field(&process, "parent"), Value::Null);
    assert_eq!(*field(&process, "links"), json!([push.span_id().to_string()]));
    Ok(())
}

/// One trace: the attempt that nobody finished has no span, the other one is below the push.
pub(crate) async fn the_job_is_picked_up_in_the_same_trace<S: Storage>() -> Result<()> {
    let (push, process) = killed::<S>("parent").await?;
    assert_eq!(*field(&process, "trace"), push.trace_id().to_string());
    assert_eq!(*field(&process, "parent"), push.span_id().to_string());
    assert_eq!(*field(&process, "links"), json!([push.span_id().to_string()]));
    Ok(())
}

/// The push of the job whose worker was killed, and the process span of the worker that picked it up.
async fn killed<S: Storage>(relation: &str) -> Result<(CapturedSpan, Value)> {
    let mut queue = Queue::<S>::new().await?;
    let mut producer = queue.producer();
    let doomed = queue.start("doomed", relation, NEVER)?;
    producer.push(WAITS.to_vec()).await?;
    let first = queue.pushed().swap_remove(0);
    assert_eq!(queue.begun().await?, ("doomed", first.trace_id().to_string()));

    // Another worker, while that one is busy, has a job of its own.
    let mut rescuer = queue.start("rescuer", relation, DEAD_AFTER)?;
    producer.push(b"other".to_vec()).await?;
    let second = queue.pushed().swap_remove(1);
    assert_eq!(queue.begun().await?, ("rescuer", second.trace_id().to_string()));
    let other = queue.done().await?;
    assert_eq!(
        (field(&other, "attempt"), field(&other, "parent")),
        (&json!("1"), &json!(second.span_id().to_string()))
    );

    doomed.kill().await?;
    rescuer.go_on().await?;
    // The first that is said is that the process is gone.
    let process = loop {
        match queue.next().await? {
            Said::Done(span) => break span,
            Said::Has { worker, .. } => assert_eq!(worker, "rescuer"),
            Said::Ended => {}
        }
    };
    let id = first.attribute("messaging.message.id").map(ToString::to_string);
    assert_eq!((field(&process, "id").as_str(), field(&process, "attempt")), (id.as_deref(), &json!("2")), "{process}");
    assert_eq!(*field(&process, "outcome"), "ok");
    rescuer.stop().await?;
    Ok((first, process))
}
