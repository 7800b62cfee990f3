//! Background jobs of [apalis](https://docs.rs/apalis) that stay in the OpenTelemetry trace that enqueued them.
//!
//! Wrap the backend that you have in a [`TracedProducer`]: it is a backend too. What is pushed through it carries the current context
//! and baggage in its metadata, never in its arguments, and a worker on it runs each job inside a span, whose children the handler's
//! spans are. Workers, layers, handlers and errors stay apalis'.
//!
//! ```
//! use traced_apalis::TracedProducer;
//! use traced_apalis::apalis_core::backend::{TaskSink, memory::MemoryStorage};
//! use traced_apalis::apalis_core::error::BoxDynError;
//! use traced_apalis::apalis_core::worker::{builder::WorkerBuilder, context::WorkerContext};
//!
//! struct SendEmail { to: String }
//!
//! async fn send_email(email: SendEmail, worker: WorkerContext) -> Result<(), BoxDynError> {
//!     assert_eq!(email.to, "ada@example.com");
//!     worker.stop()?; // so that this example ends
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxDynError> {
//! // was: let mut queue = MemoryStorage::new(); or SqliteStorage::new(&pool), or any other backend
//! let mut queue = TracedProducer::new(MemoryStorage::new());
//! queue.push(SendEmail { to: "ada@example.com".to_owned() }).await?;
//!
//! WorkerBuilder::new("mailer").backend(queue).build(send_email).run().await?;
//! # Ok(()) }
//! ```
//!
//! # What you will see
//!
//! ```text
//! POST /orders                   shop    SERVER
//! └─ push emails                 shop    PRODUCER
//!    └─ process emails           mailer  CONSUMER  → push emails
//!       ├─ render                mailer  INTERNAL
//!       └─ push receipts         mailer  PRODUCER
//!          └─ process receipts   clerk   CONSUMER  → push receipts
//! ```
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | `push`, `push_bulk`, `push_stream`, `push_task`, `push_all`, a workflow's `push_start` and its steps | `push {queue}`, PRODUCER, for each job | before the backend gets it | with the flush that stores it, or with the storage's error |
//! | a worker on a [`TracedProducer`] | `process {queue}`, CONSUMER, for each delivery; `.retry(..)` runs inside it | with the handler | when it returns, fails, panics, or is dropped with its worker |
//! | a worker with [`TracedConsumer::layer`], added last | the same for each attempt that the worker makes by itself; one message and one wait for the delivery | with the attempt | with the attempt |
//!
//! A process span has the task's id, queue and worker, the attempt and how many there may be, the priority, when the job was enqueued
//! (`apalis.enqueued_at`, in milliseconds since the Unix epoch) and for when it was put off (`apalis.run_at`, in seconds, as apalis has
//! it); `apalis.outcome` says how it ended:
//!
//! | `apalis.outcome` | when | status, `error.type` |
//! |---|---|---|
//! | `ok` | the handler returned | Unset |
//! | `deferred` | `RetryAfterError`, `DeferredError`: put off on purpose | Unset |
//! | `error` | any other error | Error, as [`Settings::on_error`] says, else `_OTHER` |
//! | `abort` | `AbortError` | Error, the same, else `abort` |
//! | `panic` | the handler panicked, caught by apalis' `CatchPanicLayer` with its default handler, or not; with a handler of your own that is for a layer [added last](TracedConsumer) to see | Error, `panic` |
//! | `cancelled` | the job was dropped in the middle, with its worker, or because the storage refused to lock it | Error, `cancelled` |
//! | `cancelled` | apalis was told so: `TaskContext::cancel`, `cancel_task`, `kill` of its worker | Error, as [`Settings::on_error`] says, else `cancelled` |
//!
//! # Defaults, and how to change them
//!
//! Process-wide providers and propagator (the W3C's if none is installed). A job's first attempt, taken up in time, is the child of the
//! span that pushed it, and links it. One that is retried, was scheduled for later, or is older than
//! [`Settings::old_after`] starts a trace of its own that links that span: a job may be tried for days, and a trace that never ends
//! is not readable. [`Settings::relation`] changes that: `Relation::Parent` keeps all of them in one trace, `Relation::Link` none. Old is
//! what was pushed long ago; the age that a [hook](Settings::relation_with) is told is how long the job has waited since it was due.
//!
//! ```
//! use traced_apalis::apalis_core::backend::memory::MemoryStorage;
//! use traced_apalis::{Relation, Settings, TracedProducer};
//!
//! let settings = Settings::default().relation(Relation::Parent);
//! let queue = TracedProducer::with_settings(MemoryStorage::<u32>::new(), &settings).queue("emails");
//! # let _ = queue;
//! ```
//!
//! A task that is pushed again, with the metadata that it was consumed with, gets the new span's context in place of the old one, which
//! is linked; [`ExistingContext::Keep`](envelope::ExistingContext::Keep) leaves it, and says anew when the job was enqueued. What apalis itself updates or reschedules keeps its
//! context. Each tick of apalis-cron starts a trace; with `Settings::propagation(Propagation::InjectOnly)` it is not counted as one that
//! lost its context.
//!
//! `messaging.system` is the storage (`sqlite`, `postgresql`, `redis`, ...), known by the backend's crate;
//! [`TracedProducer::system`] names another. A queue that nobody named has the type of its jobs as its name.
//!
//! # apalis' built-in layer, and ours
//!
//! apalis has a tracing layer of its own: `TraceLayer` with `ContextualTaskSpan`, and `OtelTraceContext` for the producer's side. Each
//! row is a test.
//!
//! | | apalis' built-in layer | `traced-apalis` |
//! |---|---|---|
//! | `push(args)` carries the context | no: only a task that was given it by hand | yes, with every verb |
//! | seen as the current span | `tracing` spans: under an OpenTelemetry span it writes `-;-;-;-` | OpenTelemetry's, and with feature `tracing` those of `tracing` in any setup |
//! | the enqueuing | no span | a PRODUCER span, with the storage's answer |
//! | the job's span | `task`, INTERNAL, without attributes of the conventions, without links | `process {queue}`, CONSUMER, with both |
//! | attempts of a job that its storage retried once | 1, 1 | 1, 2; those of `.retry(..)` with a layer added last, else one span has them all |
//! | baggage | lost | carried |
//! | on the wire | one private entry | `traceparent`, `tracestate`, `baggage`, or those of the propagator that is installed |
//! | a task that is enqueued again | its builder panics, `inject_metadata` fails | the context is replaced, the old one linked |
//! | a workflow's steps | a trace for each | one trace; a delayed or retried step is linked; `Relation::Parent` keeps all |
//!
//! Both can live side by side while you convert one service after the other: tasks written by that layer are continued, and
//! [`TracedProducer::builtin_context`] writes its entry too.
//!
//! # Features
//!
//! `internal-logs` (default): one warning, a `tracing` event, when the first jobs saw no SDK. `tracing`: process spans are opened as
//! `tracing` spans too, so that bare `tracing` events land on them. `logs`: failures as log events, for [`Settings`]' logger provider.
//!
//! # Limits
//!
//! - apalis decodes a durable storage's jobs before any layer: one that cannot be decoded has no process span.
//! - What is spawned runs outside of its span: `.parallelize(tokio::spawn)` wants a layer added last, or the context to be taken along; see
//!   [`TracedConsumer`].
//! - A job whose worker process dies has no process span for that attempt, since it never ended. The next one, in whatever process, links
//!   the same push, and is attempt 2. apalis-redis does not count attempts that nobody finished: those after it are attempt 2 as well, and
//!   1 where its `lock_tasks` is switched off. Jobs that a worker has fetched but not begun when it ends come back as attempt 2 too, as
//!   apalis-sqlite counts them.
//! - apalis boxes errors: the hook of [`Settings::on_error`] sees a [`BoxDynError`](apalis_core::error::BoxDynError), to be downcast once
//!   more.
//! - Storages take tasks one by one: `push_bulk` makes a span for each, and none around them. They answer a flush for all of its tasks.
//! - apalis-amqp answers an error for one job and goes on with the others: their spans end with that error too.
//! - apalis-amqp waits for no confirmation: a job that the broker refuses has a span as if it were stored. So has one that is put off
//!   without `Config::scheduling`, and that job is lost. It connects before it takes a job: a push that finds no broker has no span.
//! - Spans of jobs that are fed to a backend without a flush stay open until there is one.
//! - A job that a storage drops because its idempotency key is known has a span as if it were stored: nobody tells.
//! - apalis-amqp passes on only headers that begin with `x-apalis-`, which it takes off: jobs of apalis are continued, a foreign
//!   `traceparent` is out of reach, one as `x-apalis-traceparent` is not. Ids do not travel, and none is made; what a worker has as one is
//!   the number of its delivery. A redelivery is not told: it is attempt 1.
//! - The names of queues are in the storages' own configurations: see [`TracedProducer::queue`].
//! - Storages keep times in whole seconds. The time that a job waited is counted from the millisecond in which it was pushed (by the
//!   producer's clock, in the metadata as `traced-enqueued-at`), or from when it was due, or when the last attempt ended. A time before
//!   July 2017 is none.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod builtin;
mod consumer;
mod destination;
mod enqueued;
mod facts;
mod headers;
mod in_flight;
mod innermost;
mod layer;
mod outcome;
mod producer;
mod running;
mod sink;

pub use apalis_core;
pub use consumer::TracedConsumer;
pub use headers::{HeaderExtractor, HeaderInjector};
pub use layer::{TracedLayer, TracedService};
pub use opentelemetry;
pub use producer::TracedProducer;
pub use traced_envelope as envelope;
pub use traced_envelope::{Outcome, Relation, Settings};

/// The telemetry of this crate's scope.
fn telemetry(system: &'static str, settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped(system, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
}
