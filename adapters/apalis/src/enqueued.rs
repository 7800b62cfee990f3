//! When a job was enqueued, and how long it waited: times that apalis' storages keep in whole seconds, or not at all.

use crate::headers::Written;
use apalis_core::task::ExecutionContext;
use apalis_core::task::metadata::MetadataStore;
use opentelemetry::propagation::Injector as _;
use std::time::{Duration, SystemTime};

/// Beside the context in a job's metadata: milliseconds since the Unix epoch, by the producer's clock; where the job was put off, a
/// semicolon and the seconds since the epoch for which. A storage's own `run_at` does not tell: where nobody gave one it is the second in
/// which the job was stored, which may be after the millisecond in which it was pushed.
pub(crate) const KEY: &str = "traced-enqueued-at";

/// What apalis-redis leaves in a job's metadata, in seconds, when an attempt has ended (`handle_results.lua`, `fetch_next.rs`): its
/// tasks have no `done_at`, and no `run_at`.
const REDIS_DONE_AT: &str = "done_at";

/// In July 2017. A smaller number of milliseconds was made up, or is one of seconds, and would have waited for decades: whoever writes to
/// a queue may not be trusted.
const FIRST: i64 = 1_500_000_000_000;

pub(crate) fn write(written: &mut Written, run_at: Option<u64>) {
    if let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        let later = run_at.filter(|seconds| *seconds > now.as_secs());
        let later = later.map(|seconds| format!(";{seconds}")).unwrap_or_default();
        written.set(KEY, format!("{}{later}", now.as_millis()));
    }
}

/// What [`write`] has written.
struct Enqueued {
    millis: i64,
    /// The seconds for which it was put off.
    later: Option<u64>,
}

fn read(metadata: &MetadataStore) -> Option<Enqueued> {
    let entry = metadata.get(KEY)?;
    let (millis, later) = entry.split_once(';').map_or((entry, None), |(millis, later)| (millis, Some(later)));
    let millis = millis.parse().ok().filter(|millis| *millis >= FIRST)?;
    Some(Enqueued { millis, later: later.and_then(|later| later.parse().ok()) })
}

/// A job's times, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Times {
    /// Milliseconds since the Unix epoch.
    pub(crate) enqueued_at: Option<i64>,
    /// Seconds since the Unix epoch.
    pub(crate) run_at: Option<u64>,
    /// When its last attempt could have begun: what its waiting is counted from.
    pub(crate) due_at: Option<SystemTime>,
    /// Whether it was put off when it was enqueued.
    pub(crate) scheduled: bool,
}

impl Times {
    pub(crate) fn of(task: &ExecutionContext) -> Self {
        let entry = read(task.metadata());
        let enqueued_at = entry.as_ref().map(|entry| entry.millis);
        let later = entry.and_then(|entry| entry.later);
        let run_at = task.run_at().or(later);
        // Storages say when an attempt ended where there was one before.
        let ended_at = task.done_at().or_else(|| {
            let entry = task.metadata().get(REDIS_DONE_AT).filter(|_| task.attempt() > 0)?;
            entry.parse().ok()
        });
        let seconds = |seconds| after_epoch(Duration::from_secs(seconds));
        let due_at = millis(enqueued_at).max(run_at.and_then(seconds)).max(ended_at.and_then(seconds));
        Self { enqueued_at, run_at, due_at, scheduled: later.is_some() }
    }

    /// How long ago it was enqueued, or else due.
    pub(crate) fn age(&self) -> Duration {
        let since = millis(self.enqueued_at).or(self.due_at);
        since.and_then(|since| SystemTime::now().duration_since(since).ok()).unwrap_or_default()
    }
}

fn millis(at: Option<i64>) -> Option<SystemTime> {
    after_epoch(Duration::from_millis(at?.unsigned_abs()))
}

fn after_epoch(time: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use apalis_core::task::builder::TaskBuilder;

    fn task(entries: &[(&str, &str)]) -> TaskBuilder<()> {
        let entries = entries.iter().copied().filter(|(_, value)| !value.is_empty());
        TaskBuilder::new(()).with_metadata(MetadataStore::from_iter(entries))
    }

    fn times(enqueued: &str, run_at: Option<u64>, done_at: Option<u64>) -> Times {
        let task = task(&[(KEY, enqueued)]).done_at(done_at);
        let task = if let Some(run_at) = run_at { task.run_at_timestamp(run_at) } else { task };
        Times::of(task.build().ctx())
    }

    #[test]
    fn a_job_waits_from_the_last_moment_that_kept_it_from_running() {
        // Seconds after the first that count.
        let at = |seconds: u64| FIRST.unsigned_abs() / 1000 + seconds;
        let (seven, eight, nine) = (at(7), at(8), at(9));
        let (pushed, put_off) = (format!("{seven}250"), format!("{seven}250;{eight}"));
        let due = |millis| after_epoch(Duration::from_millis(millis));
        for (enqueued, run_at, done_at, due_at, known_run_at, scheduled) in [
            ("", None, None, None, None, false),
            (&*pushed, None, None, due(seven * 1000 + 250), None, false),
            (&*pushed, Some(seven), None, due(seven * 1000 + 250), Some(seven), false),
            (&*pushed, Some(eight), None, due(eight * 1000), Some(eight), false),
            (&*put_off, Some(eight), None, due(eight * 1000), Some(eight), true),
            (&*put_off, None, None, due(eight * 1000), Some(eight), true), // apalis-redis and apalis-amqp do not tell
            (&*pushed, Some(seven), Some(nine), due(nine * 1000), Some(seven), false),
            ("", Some(seven), None, due(seven * 1000), Some(seven), false),
            ("-1", Some(seven), None, due(seven * 1000), Some(seven), false),
            ("7250", Some(seven), None, due(seven * 1000), Some(seven), false), // made up
            ("7250;8", None, None, None, None, false),
            ("soon", None, None, None, None, false),
        ] {
            let times = times(enqueued, run_at, done_at);
            let what = (times.due_at, times.run_at, times.scheduled);
            assert_eq!(what, (due_at, known_run_at, scheduled), "{enqueued:?} {run_at:?} {done_at:?}");
        }
        assert_eq!(
            times("99999999999999999999", Some(u64::MAX), None).due_at,
            None,
            "times beyond the clock's are none"
        );
    }

    #[test]
    fn when_an_attempt_ended_redis_says_in_the_metadata() {
        let ended = |attempts| {
            let task = task(&[(KEY, "1500000000000"), (REDIS_DONE_AT, "1500000060")]).attempt(attempts);
            Times::of(task.build().ctx()).due_at
        };
        assert_eq!(ended(1), after_epoch(Duration::from_secs(1_500_000_060)));
        assert_eq!(ended(0), after_epoch(Duration::from_secs(1_500_000_000)), "an entry of the application's own");
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
        assert!(times("1500000000000", Some(u64::MAX / 4_000_000_000), None).age() > Duration::from_secs(200_000_000));
        assert_eq!(times("9999999999999", None, None).age(), Duration::ZERO, "another clock");
        assert_eq!(times("", None, None).age(), Duration::ZERO);
    }
}
