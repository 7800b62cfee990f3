//! One OpenTelemetry trace through RabbitMQ, over [lapin].
//!
//! Swap `channel.basic_publish(..)` for [`TracedProducer::publish`], wrap the consumer that you have in a [`TracedConsumer`], and
//! the handler's spans become children of the publisher's, also across processes and languages. Arguments, payloads and errors are
//! lapin's, unchanged.
//!
//! ```no_run
//! use lapin::{BasicProperties, Channel, options::*, types::FieldTable};
//! use traced_rabbitmq::{TracedConsumer, TracedProducer};
//!
//! # async fn reserve(_: &[u8]) -> lapin::Result<()> { Ok(()) }
//! # async fn example(channel: Channel) -> lapin::Result<()> {
//! channel.confirm_select(ConfirmSelectOptions::default()).await?; // else nobody answers a publish, as with lapin
//! let producer = TracedProducer::new(channel.clone());
//! let options = BasicPublishOptions::default();
//! producer.publish("orders".into(), "order.created".into(), options, b"{}", BasicProperties::default()).await?.await?;
//!
//! let consumer =
//!     channel.basic_consume("inventory".into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
//! let mut consumer = TracedConsumer::new(consumer.await?);
//! while let Some(delivery) = consumer.next().await {
//!     delivery?.process_and_settle(async |delivery| reserve(&delivery.data).await).await?;
//! }
//! # Ok(()) }
//! ```
//!
//! # What you will see
//!
//! ```text
//! checkout                                          shop       INTERNAL
//! └─ publish orders:order.created                   shop       PRODUCER
//!    └─ process orders:order.created:inventory      warehouse  CONSUMER  → publish orders:order.created
//!       └─ reserve stock                            warehouse  INTERNAL
//! ```
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`TracedProducer::publish`] | `publish {exchange}:{routing key}`, PRODUCER | before the message is sent | with the broker's answer, or where its future is dropped |
//! | [`TracedProducer::publish_batch`] | `create ..` for each message, one `publish ..` that links them | before the first is sent | with the last answer |
//! | [`TracedDelivery::process`] | `process {exchange}:{routing key}:{queue}`, CONSUMER | with the handler | when it returns, fails, panics or is dropped |
//! | [`TracedDelivery::start`] | the same | at once | when the message is acknowledged, rejected, sent on or dropped, or after a time limit |
//! | [`TracedConsumer::process_batch`] | the same, with a link to each message | with the handler | as above |
//! | [`TracedProducer::republish`], [`retry`](TracedProducer::retry) | `publish ..`, CLIENT, linked to the message's first publisher; PRODUCER where the message had no context | before the copy is sent | with the broker's answer |
//! | [`PullConsumer::basic_get`] | `receive ..`, CLIENT; opt-in | before the call | when it brought a message |
//! | settling through this crate | `ack ..`, `nack ..`, `reject ..`, CLIENT; opt-in | before the call | when it returned |
//!
//! # How long a message waited
//!
//! `traced.message.wait.duration` is counted from the header `timestamp_in_ms`, which RabbitMQ 3.12 and later write where their
//! configuration has `message_interceptors.incoming.set_header_timestamp.overwrite = true`: milliseconds of the broker's clock, compared with
//! this machine's. A time of the future counts as no time. Without that header nothing is measured: AMQP's own property `timestamp` has whole
//! seconds, of whatever clock the publisher has, which says nothing of a queue that is emptied within milliseconds.
//!
//! # Defaults, and how to change them
//!
//! Process-wide providers and propagator (the W3C's if none is installed); a message's creation context is the parent of its process
//! span, and linked. [`Settings`] changes all that, for each producer and consumer.
//!
//! # Features
//!
//! `tokio` (default): lapin's default runtime. `internal-logs` (default): one warning, a `tracing` event, when the first messages saw no
//! SDK. `tracing`: process spans are opened as `tracing` spans too, so that bare `tracing` events land on them. `logs`: failures as log
//! events, for [`Settings`]' logger provider.
//!
//! # Limits
//!
//! - Without publisher confirms ([`Channel::confirm_select`](lapin::Channel::confirm_select)) a publish has no answer, and its span no error;
//!   a message that no queue takes comes back only if it was published as `mandatory`.
//! - [`republish`](TracedProducer::republish) and [`retry`](TracedProducer::retry) acknowledge the original themselves, without a settle
//!   span: call them in [`process`](TracedDelivery::process), not in [`process_and_settle`](TracedDelivery::process_and_settle). A delivery
//!   that was started has [`OpenDelivery::republish`] and [`OpenDelivery::retry`]. Exchanges of the plugin
//!   `rabbitmq_delayed_message_exchange` need [`mandatory_copies(false)`](TracedProducer::mandatory_copies).
//! - A headers exchange with `x-match=any-with-x` or `all-with-x` sees our headers, since their names do not begin with `x-` either way:
//!   bind such queues to headers of your own.
//! - A message may hold the same header twice on the wire; lapin shows the last one, so that nothing here can tell.
//! - lapin hides the broker's address: [`Settings::server`] adds it.
//! - Inside [`process`](TracedDelivery::process) the handler has lapin's delivery; acknowledgements that it makes there have no settle
//!   span. [`process_and_settle`](TracedDelivery::process_and_settle) and [`OpenDelivery`] make them.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt;
mod batch;
mod batch_delivery;
#[doc(hidden)]
pub mod bench;
mod confirm;
mod consumer;
mod delegate;
mod delivery;
mod destination;
mod error;
mod handing_over;
mod header_text;
mod headers;
mod injection;
mod open_delivery;
mod producer;
mod pull_consumer;
mod recovery;
mod republish;
mod request;
mod settlement;
mod source;
mod traced_destination;

pub use batch::BatchMessage;
pub use confirm::TracedConfirm;
pub use consumer::TracedConsumer;
pub use delivery::TracedDelivery;
pub use headers::{HeaderExtractor, HeaderInjector};
pub use lapin;
pub use open_delivery::OpenDelivery;
pub use opentelemetry;
pub use producer::TracedProducer;
pub use pull_consumer::PullConsumer;
pub use request::TracedRequester;
pub use traced_destination::TracedDestination;
pub use traced_envelope as envelope;
pub use traced_envelope::{OpenSpans, Outcome, Relation, Settings};

/// The telemetry of this crate's scope.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("rabbitmq", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
}
