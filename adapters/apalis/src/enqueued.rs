//! When a job was enqueued, and how long it waited: times that apalis' storages keep in whole seconds, or not at all.

use crate::headers::Written;
use apalis_core::task::ExecutionContext;
use apalis_core::task::metadata::MetadataStore;
use opentelemetry::propagation::Injector as _;
use std::time::{Duration, SystemTime};

/// Beside the context in a job's metadata: milliseconds since the Unix epoch, by the producer's clock; where the job was put off, a
/// semicolon and the seconds since the epoch for which. A storage's own `run_at` does not tell: where nobody gave one it is the second in
/// which the job was stored, which may be after the millisecond in which it was pushed.
const KEY: &str = "traced-enqueued-at";

pub(crate) fn write(written: &mut Written, run_at: Option<u64>) {
    if let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        let later = run_at.filter(|seconds| *seconds > now.as_secs());
        let later = later.map(|seconds| format!(";{seconds}")).unwrap_or_default();
        written.set(KEY, format!("{}{later}", now.as_millis()));
    }
}

/// When, and whether it was put off.
fn read(metadata: &MetadataStore) -> Option<(i64, bool)> {
    let entry = metadata.get(KEY)?;
    let (millis, later) = entry.split_once(';').map_or((entry, false), |(millis, _)| (millis, true));
    Some((millis.parse().ok().filter(|millis| *millis >= 0)?, later))
}

/// A job's times, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Times {
    /// Milliseconds since the Unix epoch.
    pub(crate) enqueued_at: Option<i64>,
    /// When its last attempt could have begun: what its waiting is counted from.
    pub(crate) due_at: Option<SystemTime>,
    /// Whether it was put off when it was enqueued.
    pub(crate) scheduled: bool,
}

impl Times {
    pub(crate) fn of(task: &ExecutionContext) -> Self {
        let (enqueued_at, scheduled) = read(task.metadata()).map_or((None, false), |(at, later)| (Some(at), later));
        let enqueued = enqueued_at.and_then(|millis| after_epoch(Duration::from_millis(millis.unsigned_abs())));
        let run_at = task.run_at().and_then(|seconds| after_epoch(Duration::from_secs(seconds)));
        // Storages say when an attempt ended where there was one before.
        let ended_at = task.done_at().and_then(|seconds| after_epoch(Duration::from_secs(seconds)));
        Self { enqueued_at, due_at: enqueued.max(run_at).max(ended_at), scheduled }
    }

    /// How long ago it was enqueued, or else due.
    pub(crate) fn age(&self) -> Duration {
        let enqueued = self.enqueued_at.and_then(|millis| after_epoch(Duration::from_millis(millis.unsigned_abs())));
        let since = enqueued.or(self.due_at);
        since.and_then(|since| SystemTime::now().duration_since(since).ok()).unwrap_or_default()
    }
}

fn after_epoch(time: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use apalis_core::task::builder::TaskBuilder;

    fn times(enqueued: &str, run_at: Option<u64>, done_at: Option<u64>) -> Times {
        let metadata = MetadataStore::from_iter([(KEY, enqueued)].into_iter().filter(|(_, value)| !value.is_empty()));
        let task = TaskBuilder::new(()).with_metadata(metadata).done_at(done_at);
        let task = if let Some(run_at) = run_at { task.run_at_timestamp(run_at) } else { task };
        Times::of(task.build().ctx())
    }

    #[test]
    fn a_job_waits_from_the_last_moment_that_kept_it_from_running() {
        let at = |millis| after_epoch(Duration::from_millis(millis));
        for (enqueued, run_at, done_at, due_at, scheduled) in [
            ("", None, None, None, false),
            ("7250", None, None, at(7250), false),
            ("7250", Some(7), None, at(7250), false),
            ("7250", Some(8), None, at(8000), false),
            ("7250;8", Some(8), None, at(8000), true),
            ("7250", Some(7), Some(9), at(9000), false),
            ("", Some(7), None, at(7000), false),
            ("-1", Some(7), None, at(7000), false),
            ("soon", None, None, None, false),
        ] {
            let times = times(enqueued, run_at, done_at);
            assert_eq!((times.due_at, times.scheduled), (due_at, scheduled), "{enqueued:?} {run_at:?} {done_at:?}");
        }
        assert_eq!(
            times("99999999999999999999", Some(u64::MAX), None).due_at,
            None,
            "times beyond the clock's are none"
        );
    }

    #[test]
    fn a_job_that_is_put_off_says_so_itself() {
        let entry = |run_at| {
            let mut written = Written::default();
            write(&mut written, run_at);
            written.value(KEY).unwrap_or_default().to_owned()
        };
        assert!(!entry(None).contains(';') && !entry(Some(7)).contains(';'));
        assert!(entry(Some(u64::MAX)).ends_with(&format!(";{}", u64::MAX)));
    }

    #[test]
    fn its_age_counts_from_when_it_was_enqueued() {
        assert!(times("0", Some(u64::MAX / 4_000_000_000), None).age() > Duration::from_secs(1_700_000_000));
        assert_eq!(times("9999999999999", None, None).age(), Duration::ZERO, "another clock");
        assert_eq!(times("", None, None).age(), Duration::ZERO);
    }
}
