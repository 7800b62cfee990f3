//! A service's OpenTelemetry set-up, in one call.
//!
//! ```
//! fn main() -> Result<(), traced_telemetry::Error> {
//!     let _telemetry = traced_telemetry::init("order-service")?;
//!     tracing::info_span!("checkout").in_scope(|| tracing::info!(order = 42, "taken"));
//!     Ok(())
//! } // what still waits is sent here
//! ```
//!
//! With `OTEL_EXPORTER_OTLP_ENDPOINT` set, traces, metrics and logs go there; without it, this program writes to standard output
//! (with other ids and times):
//!
//! ```text
//! {"fields":{"order":42},"level":"INFO","message":"taken","span":"checkout","span_id":"b7ad6b7169203331", ..}
//! span  checkout  INTERNAL  35.2µs  trace=4bf92f3577b34da6a3ce929d0e0e4736  span=b7ad6b7169203331  {..}
//! ```
//!
//! For applications: this crate depends on the SDK, which libraries should not. Not in it: spans of messages, which the adapters make
//! (`traced-rabbitmq` and the like), and `log` records, which need `tracing-log`.
//!
//! # What is set up
//!
//! | | |
//! |---|---|
//! | resource | `service.name`, `.instance.id`, `host.name`, `host.arch`, `process.pid`; where given, `service.version`, `deployment.environment.name` |
//! | traces | tracer provider, batches; spans of `tracing` become spans of OpenTelemetry, and are current while entered |
//! | metrics | meter provider, exported each minute |
//! | logs | lines on standard output, as text or JSON, with `trace_id` and `span_id` of the current span, whoever made it; over OTLP too, but for what h2, hyper, reqwest, tonic, tower and OpenTelemetry itself say, which would make more of it without end |
//! | propagator | the W3C's headers, read strictly (`traced_envelope::propagation::W3cPropagator`) |
//!
//! # Variables
//!
//! Empty is unset, white space around a value is none of it, and letters of names such as `otlp` may be large. What is malformed is
//! ignored, and named by one warning; [`Setup::init`] says what is an error instead.
//!
//! | variable | takes | default |
//! |---|---|---|
//! | `OTEL_SDK_DISABLED` | `true`: no spans, metrics, OTLP logs; contexts still pass through | `false` |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | a name; `key=value,key=value`, percent-encoded | the program's |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp`, `console`, `none` | `otlp` where an endpoint is set, else `console` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_{TRACES,METRICS,LOGS}_ENDPOINT` | a URL; the signals' own are used as they are | `http://localhost:4318`, gRPC `:4317` |
//! | `.._PROTOCOL` | `http/protobuf`, `http/json` (feature `http-json`), `grpc` (feature `grpc`) | `http/protobuf` |
//! | `.._HEADERS`, `.._TIMEOUT`, `.._COMPRESSION` | `key=value,..`; milliseconds; `gzip` (feature `gzip`), `none` | none; 10000; `none` |
//! | `.._INSECURE` | `true`: a gRPC endpoint without a scheme is `http` | `false`: it is `https` |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | `always_on`, `always_off`, `traceidratio`, each also `parentbased_..`; 0 to 1 | `parentbased_always_on` |
//! | `OTEL_PROPAGATORS` | `tracecontext`, `baggage`, `b3`, `b3multi`, `xray`, `none` | `tracecontext,baggage` |
//! | `OTEL_BSP_MAX_QUEUE_SIZE`, `_MAX_EXPORT_BATCH_SIZE`, `_SCHEDULE_DELAY` | numbers, milliseconds | 2048, 512, 5000 (on the console 200) |
//! | `OTEL_BLRP_..` | the same, of log records | 2048, 512, 1000 |
//! | `OTEL_METRIC_EXPORT_INTERVAL` | milliseconds | 60000 |
//! | `OTEL_SPAN_{ATTRIBUTE,EVENT,LINK}_COUNT_LIMIT` | numbers; read by the SDK | 128 |
//! | `RUST_LOG` | which events are log lines and OTLP logs: `info,my_crate=debug` | `info,opentelemetry=warn` |
//! | `TRACED_LOG_LINES` | `text`, `json`, `off` | text on a terminal, else JSON |
//!
//! The batch numbers are the specification's. A queue of 2048 holds a burst of two seconds at 1,000 spans a second; a service that makes
//! more raises the queue first, then the batch, and looks at `dropped` of [`health`].
//!
//! # When spans are missing
//!
//! [`health`] says whether a provider is there, what was created, sent, dropped and lost, the last error, and at which destinations
//! messages arrived without a context. With the feature `axum`, `routes()` serves it at `/health/tracing`.
//!
//! # Features
//!
//! All are off by default. `grpc`: OTLP over gRPC. `http-json`: OTLP as JSON. `gzip`: compression. `tls`: endpoints with `https`, by
//! rustls. `axum`: the route.
//!
//! `tls` builds reqwest with rustls, but without a provider of cryptography, so that no second one is compiled: a client of reqwest's that is
//! made before one is installed panics. [`init`] installs ring's, unless there is one already: call it before you make clients.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod b3;
mod baggage;
mod batches;
mod console;
mod counts;
mod error;
mod exporters;
mod guard;
mod health;
mod log_lines;
mod logs;
mod metrics;
mod otlp;
mod otlp_exporters;
mod propagators;
mod providers;
mod resource;
#[cfg(feature = "axum")]
mod routes;
mod sampler;
mod setup;
mod spans;
mod subscriber;
mod variables;

pub use error::Error;
pub use guard::Guard;
pub use health::{Health, SignalHealth, Status, health};
pub use log_lines::LogLines;
pub use opentelemetry;
#[cfg(feature = "axum")]
pub use routes::routes;
pub use setup::{Setup, init};
pub use tracing::level_filters::LevelFilter;
