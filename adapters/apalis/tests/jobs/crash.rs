//! Two worker processes on one database, of which one is killed in the middle of a job.

use crate::often::Often;
use crate::support::{Database, SendEmail, soon, until_ended};
use apalis::prelude::WorkerBuilderExt as _;
use apalis_core::backend::TaskSink as _;
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use traced_apalis::envelope::testing::{Capture, CapturedSpan};
use traced_apalis::{Settings, TracedProducer, apalis_core};

const URL: &str = "TRACED_TEST_DATABASE";
const WORKER: &str = "TRACED_TEST_WORKER";

/// Workers give a sign of life and look for jobs of dead ones once a second. One is dead after so many seconds without.
fn queue(pool: &SqlitePool, settings: &Settings, dead_after: usize) -> TracedProducer<SqliteStorage<SendEmail>> {
    let config = Config::default()
        .queue("emails")
        .batch_size(1)
        .heartbeat_interval(Duration::from_secs(1))
        .missed_heartbeats(dead_after);
    TracedProducer::with_settings(SqliteStorage::new(pool).with_config(config), settings).queue("emails")
}

fn email(to: &str) -> SendEmail {
    SendEmail { to: to.to_owned() }
}

struct Worker {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(url: &str, name: &str) -> Result<Self, BoxDynError> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["crash::worker_process", "--exact", "--ignored", "--nocapture"])
            .env(URL, url)
            .env(WORKER, name)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        Ok(Self { process, lines: BufReader::new(output).lines() })
    }

    /// What the worker says next.
    async fn says(&mut self) -> Result<String, BoxDynError> {
        loop {
            let line = soon(self.lines.next_line()).await??.ok_or("the worker has ended")?;
            if let Some((_, said)) = line.split_once("worker says: ") {
                return Ok(said.to_owned());
            }
        }
    }
}

#[allow(clippy::print_stdout, reason = "the line is for the process that started this one")]
fn say(what: &str) {
    println!("\nworker says: {what}");
}

/// The process of a worker, which ends after one job. `doomed` never finishes one, and only `rescuer` takes over jobs of the dead.
#[tokio::test]
#[ignore = "a part of the next test, in a process of its own"]
async fn worker_process() -> Result<(), BoxDynError> {
    let (url, name) = (std::env::var(URL)?, std::env::var(WORKER)?);
    let capture = Capture::new();
    let spans = until_ended(&capture, 1);
    let dead_after = if name == "rescuer" { 1 } else { 1_000_000 };
    let backend = queue(&SqlitePool::connect(&url).await?, &capture.settings("mailer"), dead_after);
    let worker = WorkerBuilder::new(&*name)
        .backend(backend.poll_with_strategy(Often::default()))
        // While it is busy it takes nothing else.
        .concurrency(1)
        .build(async |email: SendEmail, worker: WorkerContext| {
            say(&format!("{} in {}", email.to, Context::current().span().span_context().trace_id()));
            if worker.name() == "doomed" {
                std::future::pending::<()>().await;
            }
        });
    worker.run_until(spans).await?;
    for span in capture.spans() {
        let number = |key| span.attribute(key).map(ToString::to_string).unwrap_or_default();
        let link = span.links().first().map(|link| link.span_context.span_id().to_string()).unwrap_or_default();
        let parent = span.parent_id().map(|parent| parent.to_string()).unwrap_or_default();
        say(&format!(
            "attempt {} of {}, parent {parent}, link {link}, {}",
            number("traced.message.attempt"),
            number("messaging.message.id"),
            number("apalis.outcome"),
        ));
    }
    Ok(())
}

#[tokio::test]
async fn a_job_of_a_killed_worker_is_picked_up_by_another_process_and_linked() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let mut queue = queue(&database.pool, &capture.settings("shop"), 1);
    let pushed = |number: usize| -> CapturedSpan { capture.spans().swap_remove(number) };
    queue.push(email("first@")).await?;
    let first = pushed(0);

    let mut doomed = Worker::start(&database.url, "doomed")?;
    assert_eq!(doomed.says().await?, format!("first@ in {}", first.trace_id()));

    // Another worker, while that one is busy: a job of its own.
    queue.push(email("second@")).await?;
    let second = pushed(1);
    let mut other = Worker::start(&database.url, "other")?;
    assert_eq!(other.says().await?, format!("second@ in {}", second.trace_id()));

    let id = |span: &CapturedSpan| span.attribute("messaging.message.id").map(ToString::to_string).unwrap_or_default();
    let (one, two) = (first.span_id(), second.span_id());
    assert_eq!(other.says().await?, format!("attempt 1 of {}, parent {two}, link {two}, ok", id(&second)));

    doomed.process.kill().await?;
    let mut rescuer = Worker::start(&database.url, "rescuer")?;
    let again = rescuer.says().await?;
    assert!(again.starts_with("first@ in ") && !again.contains(&first.trace_id().to_string()), "{again}");
    assert_eq!(rescuer.says().await?, format!("attempt 2 of {}, parent , link {one}, ok", id(&first)));
    Ok(())
}
