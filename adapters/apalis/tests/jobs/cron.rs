//! A schedule's ticks.

use crate::often::Often;
use crate::support::{Database, until_ended};
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_cron::timezone::Utc;
use apalis_cron::{CronScheduler, Schedule, Tick};
use apalis_sqlite::{Config, SqliteStorage};
use std::time::{SystemTime, UNIX_EPOCH};
use traced_apalis::envelope::Propagation;
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{TracedProducer, apalis_core};

/// So many ticks at once.
#[derive(Clone, Copy, Debug)]
struct Now(u32);

impl Schedule<Utc> for Now {
    fn next_tick(&mut self, _: &Utc) -> Option<Tick<Utc>> {
        self.0 = self.0.checked_sub(1)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Tick::new(now.as_secs() + 1))
    }
}

#[tokio::test]
async fn each_tick_starts_a_trace() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    // No tick carries a context: not to look for one keeps it from being counted as missing.
    let settings = capture.settings("clock").propagation(Propagation::InjectOnly);
    let backend = TracedProducer::with_settings(CronScheduler::new(Now(2)), &settings).queue("nightly");
    let worker = WorkerBuilder::new("clock").backend(backend).build(async |_: Tick| ());
    worker.run_until(until_ended(&capture, 2)).await?;
    assert_eq!(capture.trace_ids().len(), 2);
    capture.assert_trace(
        "
        process nightly  clock  CONSUMER  {messaging.system=cron}
        process nightly  clock  CONSUMER  {messaging.system=cron}
        ",
    );
    assert!(capture.metrics().iter().all(|metric| metric.name() != "traced.context.missing"));
    Ok(())
}

#[tokio::test]
async fn a_tick_that_is_piped_into_a_storage_is_a_trace_from_there_on() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let storage = SqliteStorage::<Tick>::new(&database.pool).with_config(Config::default().queue("nightly"));
    let storage = TracedProducer::with_settings(storage, &capture.settings("clock")).queue("nightly");
    let backend = CronScheduler::new(Now(2)).pipe_to(storage).poll_with_strategy(Often::default());
    let worker = WorkerBuilder::new("clock").backend(backend).build(async |_: Tick| ());
    worker.run_until(until_ended(&capture, 4)).await?;
    assert_eq!(capture.trace_ids().len(), 2);
    capture.assert_trace(
        "
        push nightly        clock  PRODUCER
        └─ process nightly  clock  CONSUMER  → push nightly
        push nightly        clock  PRODUCER
        └─ process nightly  clock  CONSUMER  → push nightly
        ",
    );
    Ok(())
}
