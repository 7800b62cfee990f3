//! How a service's telemetry does: the first question when spans are missing.

use crate::providers::{Pipeline, Pipelines};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use traced_envelope::MissingContexts;

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// What was set up.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) service: String,
    pub(crate) disabled: bool,
    pub(crate) pipelines: Pipelines,
    pub(crate) warnings: Vec<String>,
}

pub(crate) fn install(installed: Installed) {
    // Set once: whoever got here has taken the process.
    INSTALLED.set(installed).ok();
}

/// In a word.
///
/// ```
/// use traced_telemetry::{Status, health};
///
/// let answer = || match health().status {
///     Status::Ok | Status::Disabled => 200,
///     _ => 503,
/// };
/// assert_eq!(answer(), 503); // not initialized
/// let _telemetry = traced_telemetry::init("order-service")?;
/// assert_eq!(answer(), 200);
/// # Ok::<_, traced_telemetry::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// [`init`](crate::init) was not called, or failed.
    NotInitialized,
    /// `OTEL_SDK_DISABLED` is `true`.
    Disabled,
    /// Nothing is known to be wrong.
    Ok,
    /// The last export of a signal failed, or its queue is full to nine tenths: telemetry is lost, or soon will be.
    Degraded,
}

/// A report, for people and for an endpoint.
///
/// The numbers are counted since the process began, each on its own: two that are read together may be a moment apart.
///
/// ```
/// let _telemetry = traced_telemetry::init("order-service")?;
/// let health = traced_telemetry::health();
/// assert_eq!(health.service, "order-service");
/// assert!(health.without_context.is_empty()); // no hop has broken a trace
/// assert!(health.warnings.is_empty(), "{:?}", health.warnings);
/// # Ok::<_, traced_telemetry::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// In a word.
    pub status: Status,
    /// The service's name, as it is on what it sends.
    pub service: String,
    /// Whether spans are made: telemetry was set up, and is not disabled.
    pub provider_installed: bool,
    /// Spans: those that a sampler wanted.
    pub spans: SignalHealth,
    /// Metrics: each export is one.
    pub metrics: SignalHealth,
    /// Log records, over OTLP; the program's own lines are not counted.
    pub logs: SignalHealth,
    /// Messages that arrived without a usable context, by destination: the hop that breaks traces.
    pub without_context: Vec<MissingContexts>,
    /// What was wrong with the environment's variables.
    pub warnings: Vec<String>,
}

/// Of one signal.
///
/// ```
/// use traced_telemetry::SignalHealth;
///
/// fn is_complete(signal: &SignalHealth) -> bool {
///     signal.dropped + signal.lost == 0
/// }
/// let health = traced_telemetry::health();
/// assert!([&health.spans, &health.metrics, &health.logs].into_iter().all(is_complete));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignalHealth {
    /// `otlp (http)`, `otlp (grpc)`, `console` or `none`.
    pub exporter: &'static str,
    /// How many were begun.
    pub created: u64,
    /// How many were in a request that was answered with success. A collector that takes only a part of one says so in the same answer;
    /// the exporter has that on the log, and here all of it counts.
    pub exported: u64,
    /// How many found no room in the queue, or came after the end.
    pub dropped: u64,
    /// How many were in an export that failed.
    pub lost: u64,
    /// How many exports failed.
    pub export_errors: u64,
    /// How many wait to be sent.
    pub waiting: usize,
    /// How many may wait; 0 where nothing does.
    pub queue: usize,
    /// What the last failed export said, and when.
    pub last_error: Option<(String, SystemTime)>,
    failing: bool,
}

/// How this process's telemetry does.
///
/// ```
/// use traced_telemetry::{Status, health, opentelemetry::global, opentelemetry::trace::Tracer};
///
/// assert_eq!(health().status, Status::NotInitialized);
/// let telemetry = traced_telemetry::init("order-service")?;
/// drop(global::tracer("docs").start("reserve stock"));
/// assert_eq!((health().status, health().spans.created), (Status::Ok, 1));
/// telemetry.shutdown()?;
/// assert_eq!((health().spans.exported, health().spans.waiting), (1, 0));
/// # Ok::<_, traced_telemetry::Error>(())
/// ```
#[must_use]
pub fn health() -> Health {
    let off = Pipelines::off();
    let installed = INSTALLED.get();
    let pipelines = installed.map_or(&off, |installed| &installed.pipelines);
    let [spans, metrics, logs] = [&pipelines.traces, &pipelines.metrics, &pipelines.logs].map(SignalHealth::of);
    let status = match installed {
        None => Status::NotInitialized,
        Some(installed) if installed.disabled => Status::Disabled,
        Some(_) if [&spans, &metrics, &logs].iter().any(|signal| signal.is_degraded()) => Status::Degraded,
        Some(_) => Status::Ok,
    };
    Health {
        status,
        service: installed.map_or_else(String::new, |installed| installed.service.clone()),
        provider_installed: installed.is_some_and(|installed| !installed.disabled),
        spans,
        metrics,
        logs,
        without_context: MissingContexts::of_this_process(),
        warnings: installed.map_or_else(Vec::new, |installed| installed.warnings.clone()),
    }
}

impl SignalHealth {
    fn of(pipeline: &Pipeline) -> Self {
        let counts = &pipeline.counts;
        Self {
            exporter: pipeline.exporter.name(),
            created: counts.created.load(Ordering::Relaxed),
            exported: counts.exported.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
            export_errors: counts.errors.load(Ordering::Relaxed),
            waiting: counts.waiting.load(Ordering::Relaxed),
            queue: pipeline.queue,
            last_error: counts.last_error(),
            failing: counts.is_failing(),
        }
    }

    const fn is_degraded(&self) -> bool {
        self.failing || self.queue > 0 && self.waiting.saturating_mul(10) >= self.queue.saturating_mul(9)
    }

    fn to_json(&self) -> Value {
        let seconds = |at: &SystemTime| SystemTime::now().duration_since(*at).unwrap_or_default().as_secs();
        json!({
            "exporter": self.exporter,
            "created": self.created,
            "exported": self.exported,
            "dropped": self.dropped,
            "lost": self.lost,
            "export_errors": self.export_errors,
            "waiting": self.waiting,
            "queue": self.queue,
            "last_error": self.last_error.as_ref().map(|(error, at)| json!({ "message": error, "seconds_ago": seconds(at) })),
        })
    }
}

impl Health {
    /// As the endpoint shows it.
    ///
    /// ```
    /// let report = traced_telemetry::health().to_json();
    /// assert_eq!(report["status"], "not initialized");
    /// assert_eq!(report["spans"]["exporter"], "none");
    /// ```
    #[must_use]
    pub fn to_json(&self) -> Value {
        let status = match self.status {
            Status::NotInitialized => "not initialized",
            Status::Disabled => "disabled",
            Status::Ok => "ok",
            Status::Degraded => "degraded",
        };
        let missing = |missing: &MissingContexts| json!({ "destination": missing.destination, "absent": missing.absent, "invalid": missing.invalid, "conflicting": missing.conflicting });
        let without_context: Vec<_> = self.without_context.iter().map(missing).collect();
        json!({
            "status": status,
            "service": self.service,
            "provider_installed": self.provider_installed,
            "spans": self.spans.to_json(),
            "metrics": self.metrics.to_json(),
            "logs": self.logs.to_json(),
            "without_context": without_context,
            "warnings": self.warnings,
        })
    }
}
