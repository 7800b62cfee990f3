//! Two worker processes at one queue.

use anyhow::{Result, bail};
use integration_tests::Storage;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use traced_apalis::apalis_core::backend::TaskSink as _;

use crate::worker::{NEVER, Queue, Said, WAITS, field};

/// Besides the two that make sure that both workers have one.
const JOBS: u8 = 30;

/// Each with its span below the push, whichever worker did it.
pub(crate) async fn each_job_is_done_once<S: Storage>() -> Result<()> {
    let mut queue = Queue::<S>::new().await?;
    let mut producer = queue.producer();
    let mut workers = [queue.start("worker-1", "auto", NEVER)?, queue.start("worker-2", "auto", NEVER)?];
    for _ in 0..2 {
        producer.push(WAITS.to_vec()).await?;
    }
    let (one, other) = (queue.begun().await?.0, queue.begun().await?.0);
    assert_ne!(one, other, "a busy worker takes nothing else");
    for order in 0..JOBS {
        producer.push(vec![order]).await?;
    }
    for worker in &mut workers {
        worker.go_on().await?;
    }
    let pushed = queue.pushed();
    assert_eq!(pushed.len(), 2 + usize::from(JOBS));
    let mut done = Vec::new();
    while done.len() < pushed.len() {
        done.push(queue.done().await?);
    }
    let [one, other] = workers;
    one.stop().await?;
    other.stop().await?;
    for _ in 0..2 {
        match queue.next().await? {
            Said::Ended => {}
            more => bail!("once is enough: {more:?}"),
        }
    }
    let expected = pushed.iter().map(|push| {
        let (id, trace, span) = (push.attribute("messaging.message.id"), push.trace_id(), push.span_id().to_string());
        let id = id.map(ToString::to_string);
        let process = json!({
            "id": id, "attempt": "1", "outcome": "ok", "trace": trace.to_string(), "parent": span, "links": [span],
        });
        (id, process)
    });
    let by_id = |span: Value| (field(&span, "id").as_str().map(str::to_owned), span);
    assert_eq!(
        done.into_iter().map(by_id).collect::<BTreeMap<_, _>>(),
        expected.collect::<BTreeMap<_, _>>(),
        "each once, as often as there were any"
    );
    Ok(())
}
