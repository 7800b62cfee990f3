//! The SDK's providers, made as the variables say.

use crate::Error;
use crate::batches::{Batches, metric_interval};
use crate::console::Console;
use crate::counts::Counts;
#[cfg(feature = "grpc")]
use crate::exporters::Protocol;
use crate::exporters::{Exporter, Signal};
use crate::logs::CountedLogs;
use crate::metrics::reader;
use crate::otlp_exporters;
use crate::sampler::sampler;
use crate::spans::CountedSpans;
use crate::variables::Variables;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use std::time::Duration;

/// Where each signal goes, and how much went there.
#[derive(Debug)]
pub(crate) struct Pipelines {
    pub(crate) traces: Pipeline,
    pub(crate) metrics: Pipeline,
    pub(crate) logs: Pipeline,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) exporter: Exporter,
    pub(crate) counts: Arc<Counts>,
    /// How many may wait; 0 where nothing does.
    pub(crate) queue: usize,
}

impl Pipeline {
    pub(crate) fn new(exporter: Exporter) -> Self {
        Self { exporter, counts: Arc::default(), queue: 0 }
    }
}

impl Pipelines {
    pub(crate) fn off() -> Self {
        let [traces, metrics, logs] = [Exporter::None, Exporter::None, Exporter::None].map(Pipeline::new);
        Self { traces, metrics, logs }
    }
}

/// None of them where the SDK is disabled.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    pub(crate) tracers: Option<SdkTracerProvider>,
    pub(crate) meters: Option<SdkMeterProvider>,
    pub(crate) loggers: Option<SdkLoggerProvider>,
    /// After the providers, which need it to the end.
    #[cfg(feature = "grpc")]
    pub(crate) connections: Connections,
}

impl Providers {
    /// # Errors
    ///
    /// A variable that would send telemetry to nowhere, and whatever keeps an exporter from being made.
    pub(crate) fn new(variables: &mut Variables<'_>, resource: &Resource) -> Result<(Self, Pipelines), Error> {
        let mut traces = Pipeline::new(Signal::Traces.exporter(variables)?);
        let metrics = Pipeline::new(Signal::Metrics.exporter(variables)?);
        let mut logs = Pipeline::new(Signal::Logs.exporter(variables)?);
        #[cfg(feature = "grpc")]
        let connections = if [&traces, &metrics, &logs].iter().any(|to| to.exporter.is_over(Protocol::Grpc)) {
            Connections::new()?
        } else {
            Connections::default()
        };
        // Held while exporters are made: a connection asks for the runtime that it is on.
        #[cfg(feature = "grpc")]
        let entered = connections.0.as_ref().map(tokio::runtime::Runtime::enter);
        let tracers = Some(tracers(variables, resource, &mut traces)?);
        let meters = meters(variables, resource, &metrics)?;
        let loggers = loggers(variables, resource, &mut logs)?;
        #[cfg(feature = "grpc")]
        drop(entered);
        let providers = Self {
            tracers,
            meters,
            loggers,
            #[cfg(feature = "grpc")]
            connections,
        };
        Ok((providers, Pipelines { traces, metrics, logs }))
    }
}

/// Where gRPC's connections live. A runtime of our own: a program need not have one, and one of a single thread would wait for itself
/// when it ends.
#[cfg(feature = "grpc")]
#[derive(Debug, Default)]
pub(crate) struct Connections(Option<tokio::runtime::Runtime>);

#[cfg(feature = "grpc")]
impl Connections {
    fn new() -> Result<Self, Error> {
        let made =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("otlp").enable_all().build();
        let runtime = made.map_err(|error| Error::configuration(format!("no thread for OTLP over gRPC: {error}")))?;
        Ok(Self(Some(runtime)))
    }
}

#[cfg(feature = "grpc")]
impl Drop for Connections {
    /// Waiting for a runtime's end, as its own drop does, is a panic inside of another runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn tracers(variables: &mut Variables<'_>, resource: &Resource, to: &mut Pipeline) -> Result<SdkTracerProvider, Error> {
    let delay = if to.exporter == Exporter::Console { Duration::from_millis(200) } else { Duration::from_secs(5) };
    let batches = Batches::of_spans(variables, delay);
    let processor = match &to.exporter {
        Exporter::None => CountedSpans::without_exporter(Arc::clone(&to.counts)),
        Exporter::Console => CountedSpans::batched(Console, batches, &to.counts),
        Exporter::Otlp(otlp) => CountedSpans::batched(otlp_exporters::spans(otlp)?, batches, &to.counts),
    };
    if to.exporter != Exporter::None {
        to.queue = batches.queue;
    }
    for limit in ["ATTRIBUTE", "EVENT", "LINK"] {
        // The SDK reads them, and says nothing about what it does not understand.
        variables.number(&format!("OTEL_SPAN_{limit}_COUNT_LIMIT"));
    }
    let provider = SdkTracerProvider::builder().with_resource(resource.clone()).with_sampler(sampler(variables));
    Ok(provider.with_span_processor(processor).build())
}

fn meters(
    variables: &mut Variables<'_>,
    resource: &Resource,
    to: &Pipeline,
) -> Result<Option<SdkMeterProvider>, Error> {
    let interval = metric_interval(variables);
    let builder = SdkMeterProvider::builder().with_resource(resource.clone());
    let provider = match &to.exporter {
        Exporter::None => return Ok(None),
        Exporter::Console => builder.with_reader(reader(Console, interval, &to.counts)).build(),
        Exporter::Otlp(otlp) => {
            builder.with_reader(reader(otlp_exporters::metrics(otlp)?, interval, &to.counts)).build()
        }
    };
    Ok(Some(provider))
}

/// On the console logs are the program's own lines, and need no provider.
fn loggers(
    variables: &mut Variables<'_>,
    resource: &Resource,
    to: &mut Pipeline,
) -> Result<Option<SdkLoggerProvider>, Error> {
    let Exporter::Otlp(otlp) = &to.exporter else { return Ok(None) };
    let exporter = otlp_exporters::logs(otlp)?;
    let batches = Batches::of_logs(variables);
    to.queue = batches.queue;
    let processor = CountedLogs::batched(exporter, batches, &to.counts);
    Ok(Some(SdkLoggerProvider::builder().with_resource(resource.clone()).with_log_processor(processor).build()))
}
