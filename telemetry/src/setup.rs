//! A service's telemetry, in one call.

use crate::guard::Guard;
use crate::health::Installed;
use crate::log_lines::LogLines;
use crate::propagators::propagators;
use crate::providers::{Pipelines, Providers};
use crate::resource::{resource, service_name};
use crate::subscriber::Wanted;
use crate::variables::Variables;
use crate::{Error, health};
use opentelemetry::{KeyValue, Value, global};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::level_filters::LevelFilter;

/// Providers, propagator and subscriber are process-wide: so is this.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Sets up a service's telemetry as the environment says, with defaults for the rest; [`Setup`] has the choices.
///
/// Keep the guard until the program ends: what still waits is sent when it is dropped.
///
/// # Errors
///
/// [`Setup::init`]'s.
///
/// ```
/// # fn main() -> Result<(), traced_telemetry::Error> {
/// let _telemetry = traced_telemetry::init("order-service")?; // not `let _ =`, which drops it at once
/// tracing::info!("ready");
/// assert!(traced_telemetry::health().provider_installed);
/// # Ok(())
/// # }
/// ```
pub fn init(service: impl Into<Value>) -> Result<Guard, Error> {
    Setup::new(service).init()
}

/// What a program says of itself, before it sets its telemetry up. What the environment says goes before all of it.
///
/// ```
/// use std::time::Duration;
/// use traced_telemetry::{LogLines, Setup};
///
/// let telemetry = Setup::new("order-service")
///     .version(env!("CARGO_PKG_VERSION"))
///     .environment("production")
///     .log_lines(LogLines::Json)
///     .shutdown_limit(Duration::from_secs(2))
///     .init()?;
/// assert_eq!(traced_telemetry::health().service, "order-service");
/// telemetry.shutdown()?;
/// # Ok::<_, traced_telemetry::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is set up before `init`"]
pub struct Setup {
    attributes: Vec<KeyValue>,
    lines: LogLines,
    spans: LevelFilter,
    limit: Duration,
}

impl Setup {
    /// A service's name, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says another.
    ///
    /// ```
    /// # let setup =
    /// traced_telemetry::Setup::new("order-service");
    /// # assert!(format!("{setup:?}").contains("order-service"));
    /// ```
    pub fn new(service: impl Into<Value>) -> Self {
        Self {
            attributes: vec![KeyValue::new("service.name", service)],
            lines: LogLines::Auto,
            spans: LevelFilter::INFO,
            limit: Duration::from_secs(5),
        }
    }

    /// `service.version`; none by default.
    ///
    /// ```
    /// # let setup =
    /// traced_telemetry::Setup::new("order-service").version(env!("CARGO_PKG_VERSION"));
    /// # assert!(format!("{setup:?}").contains("service.version"));
    /// ```
    pub fn version(self, version: impl Into<Value>) -> Self {
        self.attribute(KeyValue::new("service.version", version))
    }

    /// `deployment.environment.name`, such as `production`; none by default.
    ///
    /// ```
    /// # let setup =
    /// traced_telemetry::Setup::new("order-service").environment("staging");
    /// # assert!(format!("{setup:?}").contains("staging"));
    /// ```
    pub fn environment(self, environment: impl Into<Value>) -> Self {
        self.attribute(KeyValue::new("deployment.environment.name", environment))
    }

    /// Another attribute of the resource.
    ///
    /// ```
    /// use traced_telemetry::{Setup, opentelemetry::KeyValue};
    ///
    /// # let setup =
    /// Setup::new("order-service").attribute(KeyValue::new("service.namespace", "shop"));
    /// # assert!(format!("{setup:?}").contains("shop"));
    /// ```
    pub fn attribute(mut self, attribute: KeyValue) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// How log lines look; [`LogLines::Auto`] by default.
    ///
    /// ```
    /// use traced_telemetry::{LogLines, Setup};
    ///
    /// # let setup =
    /// Setup::new("order-service").log_lines(LogLines::Json);
    /// # assert!(format!("{setup:?}").contains("Json"));
    /// ```
    pub const fn log_lines(mut self, lines: LogLines) -> Self {
        self.lines = lines;
        self
    }

    /// Up to which level `tracing` spans become spans; INFO by default. `RUST_LOG` has no say in it: whoever turns the log down wants
    /// to keep the traces.
    ///
    /// ```
    /// use traced_telemetry::{LevelFilter, Setup};
    ///
    /// # let setup =
    /// Setup::new("order-service").span_level(LevelFilter::DEBUG);
    /// # assert!(format!("{setup:?}").contains("DEBUG"));
    /// ```
    pub const fn span_level(mut self, level: LevelFilter) -> Self {
        self.spans = level;
        self
    }

    /// How long the guard may take to send what waits; 5 seconds by default. More than that helps spans and log records at the end alone:
    /// the SDK (0.33) waits 5 seconds, no longer, for metrics at the end, and for spans and log records at a [`Guard::flush`].
    ///
    /// ```
    /// # let setup =
    /// traced_telemetry::Setup::new("order-service").shutdown_limit(std::time::Duration::from_secs(2));
    /// # assert!(format!("{setup:?}").contains("2s"));
    /// ```
    pub const fn shutdown_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Installs providers, propagator and `tracing` subscriber, once a process.
    ///
    /// Works inside and outside of a tokio runtime, with whichever number of threads. A variable that is malformed is ignored, and
    /// named by a warning on the log and in [`Health::warnings`](crate::Health::warnings).
    ///
    /// # Errors
    ///
    /// Nothing is installed then. A second set-up in one process, or another `tracing` subscriber
    /// ([`Error::is_already_initialized`]); a variable that would send telemetry to nowhere (an endpoint that is no URL), or that wants a
    /// feature of this crate that is off: `grpc`, `http-json`, `tls`.
    ///
    /// ```
    /// let telemetry = traced_telemetry::Setup::new("order-service").init()?;
    /// # drop(telemetry);
    /// # Ok::<_, traced_telemetry::Error>(())
    /// ```
    pub fn init(self) -> Result<Guard, Error> {
        if TAKEN.swap(true, Ordering::SeqCst) {
            return Err(Error::already_initialized());
        }
        // A program that repairs what was wrong may try again.
        self.install().inspect_err(|_| TAKEN.store(false, Ordering::SeqCst))
    }

    fn install(self) -> Result<Guard, Error> {
        // Whatever the variables say: with this feature a client of the application's by reqwest needs one too, and panics without it. An
        // error: the program has installed one already, and that one is used.
        #[cfg(feature = "tls")]
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut variables = Variables::of_the_process();
        let resource = resource(&mut variables, &self.attributes);
        let service = service_name(&resource);
        let disabled = variables.boolean("OTEL_SDK_DISABLED");
        let (providers, pipelines) = if disabled {
            (Providers::default(), Pipelines::off())
        } else {
            Providers::new(&mut variables, &resource)?
        };
        let propagators = propagators(&mut variables);
        let wanted = Wanted::read(&mut variables, self.lines, self.spans);

        // What may fail comes first.
        wanted.install(&service, providers.tracers.as_ref(), providers.loggers.as_ref())?;
        propagators.install();
        if let Some(tracers) = &providers.tracers {
            global::set_tracer_provider(tracers.clone());
        }
        if let Some(meters) = &providers.meters {
            global::set_meter_provider(meters.clone());
        }
        let warnings = variables.into_warnings();
        for warning in &warnings {
            tracing::warn!(target: "traced_telemetry", "{warning}");
        }
        health::install(Installed { service, disabled, pipelines, warnings });
        Ok(Guard::new(providers, self.limit))
    }
}
