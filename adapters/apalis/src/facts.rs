//! What is told of a job on its spans.

use apalis_core::task::ExecutionContext;
use traced_envelope::{Fact, semconv, semconv::Name};

/// What a job is enqueued with. A storage that keeps the time for which a job was put off does not always tell it.
pub(crate) fn of_task(task: &ExecutionContext, run_at: Option<u64>) -> Vec<(Name, Fact<'static>)> {
    // Room for what a worker adds.
    let mut facts = Vec::with_capacity(6);
    facts.extend(task.max_attempts().map(|maximum| (semconv::APALIS_MAX_ATTEMPTS, count(maximum))));
    facts.extend(task.priority().map(|priority| (semconv::APALIS_PRIORITY, count(priority))));
    let run_at = run_at.and_then(|seconds| i64::try_from(seconds).ok());
    facts.extend(run_at.map(|seconds| (semconv::APALIS_RUN_AT, seconds.into())));
    facts
}

/// OpenTelemetry's integers are signed.
pub(crate) fn count(number: usize) -> Fact<'static> {
    Fact::Number(i64::try_from(number).unwrap_or(i64::MAX))
}
