//! A worker in a process of its own, as a test sees it.

use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::{Storage, unique};
use serde_json::Value;
use std::fmt::Debug;
use std::process::Stdio;
use std::time::Duration;
use test_brokers::Way;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use traced_apalis::TracedProducer;
use traced_envelope::testing::{Capture, CapturedSpan};

pub(crate) const STORAGE: &str = "TRACED_TEST_STORAGE";
pub(crate) const QUEUE: &str = "TRACED_TEST_QUEUE";
pub(crate) const WORKER: &str = "TRACED_TEST_WORKER";
pub(crate) const RELATION: &str = "TRACED_TEST_RELATION";
pub(crate) const DEAD_AFTER: &str = "TRACED_TEST_DEAD_AFTER";

/// What a worker's lines begin with: the test harness of its process prints some too.
pub(crate) const SAYS: &str = "worker says: ";

/// A job of this payload waits until the test lets it go on.
pub(crate) const WAITS: &[u8] = b"waits";

/// Never: no worker of a test that kills none is given up for dead, however busy the machine is.
pub(crate) const NEVER: usize = 1_000_000;

/// Longer than a busy machine needs; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A limit for what the tests wait for.
pub(crate) async fn soon<F: Future>(future: F) -> Result<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.context("not in time")
}

/// What one of the workers said.
#[derive(Debug)]
pub(crate) enum Said {
    /// It has begun with a job, in this trace.
    Has { worker: &'static str, trace: String },
    /// A process span has ended.
    Done(Value),
    /// Its process is over.
    Ended,
}

/// Of a span that has ended.
pub(crate) fn field<'s>(span: &'s Value, name: &str) -> &'s Value {
    span.get(name).unwrap_or(&Value::Null)
}

/// The queue of a test, and what its workers say.
pub(crate) struct Queue<S> {
    storage: S,
    name: String,
    pub(crate) capture: Capture,
    said: (UnboundedSender<Said>, UnboundedReceiver<Said>),
}

impl<S: Storage> Queue<S> {
    pub(crate) async fn new() -> Result<Self> {
        let (storage, name) = (S::shared().await?, format!("orders-{}", unique()));
        Ok(Self { storage, name, capture: Capture::new(), said: unbounded_channel() })
    }

    pub(crate) fn producer(&self) -> TracedProducer<S::Backend> {
        let storage = self.storage.workers_queue(&self.name, NEVER);
        TracedProducer::with_settings(storage, &self.capture.settings("shop")).queue(&*self.name)
    }

    /// The spans of what was pushed, in that order.
    pub(crate) fn pushed(&self) -> Vec<CapturedSpan> {
        let name = format!("push {}", self.name);
        self.capture.spans().into_iter().filter(|span| span.name() == name).collect()
    }

    pub(crate) fn start(&self, name: &'static str, relation: &str, dead_after: usize) -> Result<Worker> {
        let (variable, url) = self.storage.address();
        let mut process = Command::new(std::env::current_exe()?)
            .args(["worker_process::worker_process", "--exact", "--ignored", "--nocapture"])
            .env(variable, url)
            .env_remove(Way::VARIABLE)
            .env(STORAGE, S::SYSTEM)
            .env(QUEUE, &self.name)
            // PostgreSQL's workers are told apart by their names alone, whatever their queues.
            .env(WORKER, format!("{name}-of-{}", self.name))
            .env(RELATION, relation)
            .env(DEAD_AFTER, dead_after.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().context("no output")?;
        let input = process.stdin.take().context("no input")?;
        let told = self.said.0.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Some((_, said)) = line.split_once(SAYS) else { continue };
                _ = told.send(match said.strip_prefix("has ") {
                    Some(trace) => Said::Has { worker: name, trace: trace.to_owned() },
                    None => Said::Done(serde_json::from_str(said).unwrap_or_default()),
                });
            }
            _ = told.send(Said::Ended);
        });
        Ok(Worker { process, input })
    }

    /// What any of the workers says next.
    pub(crate) async fn next(&mut self) -> Result<Said> {
        soon(self.said.1.recv()).await?.context("nobody is there to say something")
    }

    /// Who has begun with a job, and in which trace.
    pub(crate) async fn begun(&mut self) -> Result<(&'static str, String)> {
        match self.next().await? {
            Said::Has { worker, trace } => Ok((worker, trace)),
            other => bail!("no job has begun: {other:?}"),
        }
    }

    /// The next process span that has ended, whatever began meanwhile.
    pub(crate) async fn done(&mut self) -> Result<Value> {
        loop {
            match self.next().await? {
                Said::Has { .. } => {}
                Said::Done(span) => return Ok(span),
                Said::Ended => bail!("a worker has ended"),
            }
        }
    }
}

/// Ended when it is dropped.
pub(crate) struct Worker {
    process: Child,
    input: ChildStdin,
}

impl Worker {
    /// Lets a job that [waits](WAITS) go on, now or when there is one.
    pub(crate) async fn go_on(&mut self) -> Result<()> {
        Ok(self.input.write_all(b"go on\n").await?)
    }

    /// In the middle of whatever it does, with nothing said to anybody.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(soon(self.process.kill()).await??)
    }

    /// Ends it as a worker ends.
    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.input);
        let status = soon(self.process.wait()).await??;
        ensure!(status.success(), "the worker has failed: {status}");
        Ok(())
    }
}
