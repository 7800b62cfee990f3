//! The end: what still waits is sent, in bounded time.

use crate::Error;
use crate::providers::Providers;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() -> OTelSdkResult + Send>;

/// Keeps a service's telemetry running until it is dropped.
///
/// Then spans, metrics and log records that wait are sent, all three at once, for at most the time that
/// [`Setup::shutdown_limit`](crate::Setup::shutdown_limit) allows (5 seconds; for metrics never more, which the SDK has fixed): a collector
/// that is away holds no program up for longer. What it does not take is sent again three times, within about a second, and then lost.
/// What fails is a warning on the log. The thread is blocked meanwhile; exporters have threads of their own, so this works inside a
/// tokio runtime too, also in one of a single thread. From async code that still has other things to do:
/// `spawn_blocking(move || drop(guard))`.
///
/// Declare it first in `main`, so that it is dropped last, and return from `main` instead of calling `std::process::exit`, which drops
/// nothing.
///
/// ```
/// use traced_telemetry::{Guard, health, opentelemetry::global, opentelemetry::trace::Tracer};
///
/// let guard: Guard = traced_telemetry::init("order-service")?;
/// drop(global::tracer("docs").start("reserve stock")); // waits to be sent
/// drop(guard);
/// assert_eq!((health().spans.exported, health().spans.waiting), (1, 0));
/// # Ok::<_, traced_telemetry::Error>(())
/// ```
#[must_use = "telemetry ends when the guard is dropped: `let _guard = ..`, not `let _ = ..`"]
#[derive(Debug)]
pub struct Guard {
    providers: Option<Providers>,
    limit: Duration,
}

impl Guard {
    pub(crate) const fn new(providers: Providers, limit: Duration) -> Self {
        Self { providers: Some(providers), limit }
    }

    /// Sends what waits now, and goes on: before a function-as-a-service is frozen, or in a test. At most for the shutdown's limit; for spans
    /// and log records at most 5 seconds, which the SDK (0.33) has fixed.
    ///
    /// # Errors
    ///
    /// What could not be sent, and why. The application can go on.
    ///
    /// ```
    /// let telemetry = traced_telemetry::init("order-service")?;
    /// telemetry.flush()?;
    /// # Ok::<_, traced_telemetry::Error>(())
    /// ```
    pub fn flush(&self) -> Result<(), Error> {
        let Some(providers) = &self.providers else { return Ok(()) };
        let mut jobs: Vec<(&'static str, Job)> = Vec::with_capacity(3);
        if let Some(tracers) = providers.tracers.clone() {
            jobs.push(("traces", Box::new(move || tracers.force_flush())));
        }
        if let Some(meters) = providers.meters.clone() {
            jobs.push(("metrics", Box::new(move || meters.force_flush())));
        }
        if let Some(loggers) = providers.loggers.clone() {
            jobs.push(("logs", Box::new(move || loggers.force_flush())));
        }
        together(jobs, self.limit)
    }

    /// What dropping the guard does, and tells what went wrong.
    ///
    /// # Errors
    ///
    /// What could not be ended in time, and why. Spans and log records whose last export failed are no error of the SDK's:
    /// [`health`](crate::health) tells.
    ///
    /// ```
    /// let telemetry = traced_telemetry::init("order-service")?;
    /// telemetry.shutdown()?;
    /// # Ok::<_, traced_telemetry::Error>(())
    /// ```
    pub fn shutdown(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(providers) = self.providers.take() else { return Ok(()) };
        let limit = self.limit;
        let mut jobs: Vec<(&'static str, Job)> = Vec::with_capacity(3);
        if let Some(tracers) = providers.tracers {
            jobs.push(("traces", Box::new(move || tracers.shutdown_with_timeout(limit))));
        }
        // It takes a limit and does not keep it; ours is kept.
        if let Some(meters) = providers.meters {
            jobs.push(("metrics", Box::new(move || meters.shutdown_with_timeout(limit))));
        }
        if let Some(loggers) = providers.loggers {
            jobs.push(("logs", Box::new(move || loggers.shutdown_with_timeout(limit))));
        }
        let ended = together(jobs, limit);
        #[cfg(feature = "grpc")]
        drop(providers.connections);
        ended
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(target: "traced_telemetry", "{error}");
        }
    }
}

/// Each on a thread of its own, so that one that hangs keeps neither the others nor the caller. It is left behind then.
fn together(jobs: Vec<(&'static str, Job)>, limit: Duration) -> Result<(), Error> {
    // `Duration::MAX` is no instant: a limit that is longer than anybody waits.
    let deadline = Instant::now().checked_add(limit);
    let (sender, receiver) = mpsc::channel();
    let mut waiting: Vec<&'static str> = Vec::with_capacity(jobs.len());
    let mut problems = Vec::new();
    for (signal, job) in jobs {
        let sender = sender.clone();
        let spawned = thread::Builder::new().name(format!("telemetry {signal}")).spawn(move || {
            // An error: the caller has stopped waiting.
            sender.send((signal, job())).ok();
        });
        match spawned {
            Ok(_) => waiting.push(signal),
            Err(error) => problems.push(format!("{signal}: {error}")),
        }
    }
    drop(sender);
    while !waiting.is_empty() {
        let left = deadline.map_or(limit, |deadline| deadline.saturating_duration_since(Instant::now()));
        match receiver.recv_timeout(left) {
            Ok((signal, result)) => {
                waiting.retain(|other| *other != signal);
                match result {
                    // The application ended a provider by itself: that is what was wanted.
                    Ok(()) | Err(OTelSdkError::AlreadyShutdown) => {}
                    Err(error) => problems.push(format!("{signal}: {error}")),
                }
            }
            Err(_) => {
                problems.extend(waiting.iter().map(|signal| format!("{signal}: not sent within {limit:?}")));
                break;
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::shutdown(format!("telemetry was not sent: {}", problems.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_keeps_neither_the_others_nor_the_caller() {
        let (hold, held) = mpsc::channel::<()>();
        let (done, others) = mpsc::channel();
        let jobs: Vec<(&'static str, Job)> = vec![
            ("traces", Box::new(move || held.recv().map_err(|_| OTelSdkError::AlreadyShutdown))),
            ("logs", Box::new(move || done.send(()).map_err(|_| OTelSdkError::AlreadyShutdown))),
        ];
        let start = Instant::now();
        let error = together(jobs, Duration::from_millis(50)).unwrap_err().to_string();
        assert_eq!(error, "telemetry was not sent: traces: not sent within 50ms");
        assert!(start.elapsed() < Duration::from_secs(30));
        assert!(others.recv_timeout(Duration::from_secs(30)).is_ok());
        drop(hold);
    }

    #[test]
    fn what_was_ended_already_is_no_problem() {
        let jobs: Vec<(&'static str, Job)> = vec![("traces", Box::new(|| Err(OTelSdkError::AlreadyShutdown)))];
        assert_eq!(together(jobs, Duration::from_secs(30)), Ok(()));
    }
}
