//! One OpenTelemetry trace through Redis, over [redis].
//!
//! Make a [`TracedProducer`] of the connection that publishes and a [`TracedConsumer`] of the subscription, and the handler's spans
//! become children of the publisher's, also across processes and languages. Arguments and errors are redis', unchanged.
//!
//! Messages of pub/sub have no headers, so the context rides in an envelope around the payload. Which one is said where the producer is
//! made, since subscribers have to read it: [upgrade them first](#how-to-introduce-it). [Streams](#streams) need none.
//!
//! ```no_run
//! use redis::aio::{MultiplexedConnection, PubSub};
//! use traced_redis::{Form, TracedConsumer, TracedProducer};
//!
//! # async fn reserve(_: &[u8]) -> redis::RedisResult<()> { Ok(()) }
//! # async fn example(connection: MultiplexedConnection, mut subscription: PubSub) -> redis::RedisResult<()> {
//! let mut producer = TracedProducer::new(connection, Form::Binary);
//! let receivers = producer.publish("orders", b"{}").await?; // was: connection.publish("orders", b"{}")
//!
//! subscription.subscribe("orders").await?;
//! let mut consumer = TracedConsumer::new(subscription); // was: let mut messages = subscription.into_on_message();
//! while let Some(message) = consumer.next().await {
//!     message?.process(async |message| reserve(message.payload()).await).await?;
//! }
//! # Ok(()) }
//! ```
//!
//! # What you will see
//!
//! ```text
//! checkout                  shop       INTERNAL
//! └─ publish orders         shop       PRODUCER
//!    └─ process orders      warehouse  CONSUMER  → publish orders
//!       └─ reserve stock    warehouse  INTERNAL
//! ```
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`TracedProducer::publish`], [`publish_json`](TracedProducer::publish_json), [`publish_blocking`](TracedProducer::publish_blocking) | `publish {channel}`, PRODUCER | before the command is sent | with the number of receivers |
//! | [`TracedProducer::spublish`] and its kin | `spublish {channel}`, PRODUCER | the same | the same |
//! | [`TracedProducer::pipeline`], [`pipeline_blocking`](TracedProducer::pipeline_blocking) | `create ..` for each message, one `publish ..` that links them | before the first command is sent | with the last answer |
//! | [`TracedMessage::process`], [`process_blocking`](TracedMessage::process_blocking) | `process {channel}` or `process {pattern}`, CONSUMER | with the handler | when it returns, fails, panics or is dropped |
//! | [`TracedMessage::start`] | the same | at once | when the message is [finished](OpenMessage::finish) or dropped |
//! | [`TracedConsumer::process_batch`] | the same, with a link to each message | with the handler | as `process` |
//!
//! # Streams
//!
//! Entries have fields, and the context travels in fields of its own beside the application's: `traceparent`, `tracestate`, `baggage`. Whoever
//! writes them, in any language, continues the trace. [`TracedProducer::xadd`] adds entries, a [`StreamConsumer`] reads them.
//!
//! ```no_run
//! use redis::aio::MultiplexedConnection;
//! use redis::streams::StreamReadOptions;
//! use traced_redis::{Entry, Form, StreamConsumer, TracedProducer};
//!
//! # async fn reserve(_: &Entry) -> redis::RedisResult<()> { Ok(()) }
//! # async fn example(connection: MultiplexedConnection, of_its_own: MultiplexedConnection) -> redis::RedisResult<()> {
//! let mut producer = TracedProducer::new(connection, Form::Binary);
//! let id = producer.xadd("orders", "*", &[("id", "42")]).await?; // was: connection.xadd("orders", "*", ..)
//!
//! let mut consumer = StreamConsumer::new(of_its_own);
//! let options = StreamReadOptions::default().group("inventory", "worker-1").block(5000);
//! for entry in consumer.xread_options(&["orders"], &[">"], &options).await? {
//!     entry.process_and_settle(consumer.get_mut(), async |entry| reserve(&entry).await).await?; // `XACK` on `Ok`
//! }
//! # Ok(()) }
//! ```
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`TracedProducer::xadd`], [`xadd_options`](TracedProducer::xadd_options), [`xadd_blocking`](TracedProducer::xadd_blocking) and their kin | `xadd {stream}`, PRODUCER | before the command is sent | with the entry's id |
//! | [`TracedPipeline::xadd`] and its kin | `create ..` for each, one `xadd ..` that links them | before the first command is sent | with the last answer |
//! | [`TracedEntry::process`], [`process_and_settle`](TracedEntry::process_and_settle) | `process {stream}`, CONSUMER | with the handler | when it returns, fails, panics or is dropped |
//! | [`TracedEntry::start`] | the same | at once | when the entry is [acknowledged](OpenEntry::ack), [finished](OpenEntry::finish) or dropped |
//! | [`StreamConsumer::process_batch`] | the same, with a link to each entry | with the handler | as `process` |
//! | [`TracedProducer::republish`], [`retry`](TracedProducer::retry) | `xadd {stream}`, CLIENT, linked to the entry's first producer | before the copy is added | with the copy's id |
//! | [`StreamConsumer::xread_options`], [`xautoclaim_options`](StreamConsumer::xautoclaim_options), [`xclaim`](StreamConsumer::xclaim) | `xreadgroup ..`, `xread ..`, `xautoclaim ..`, `xclaim ..`, CLIENT; opt-in | when the wait began | when it brought an entry |
//! | [`StreamConsumer::xack`], [`OpenEntry::ack`], `process_and_settle` | `xack {stream}`, CLIENT; opt-in | before the call | when it returned |
//!
//! A read is taken for one turn of a loop; a single one, made inside a span, says so by [`StreamConsumer::pulled`].
//!
//! A read that waits longer than redis waits for an answer does not break: it is sent in [pieces](StreamConsumer::longest_block).
//!
//! # The forms
//!
//! | form | what travels | who reads it |
//! |---|---|---|
//! | [`Form::Binary`] | a frame: `F5 54 52 43`, a header block, the payload | subscribers with this crate |
//! | [`publish_json`](TracedProducer::publish_json) | `{"trace_context":{"traceparent":".."},"payload":..}` | whoever reads JSON: `json.loads(data)["payload"]` |
//! | [`Form::CloudEvents`] | a CloudEvent 1.0 in structured JSON | Dapr, the CloudEvents SDKs |
//! | [`Form::Bare`] | the payload alone, without a context | everybody |
//!
//! Consumers read the first two, and with [`Settings::accept_forms`] the third. Everything else is a payload as it is: half a frame, an
//! object with a third member, bytes at random. A payload is not copied out of its envelope, unless it has to be decoded.
//!
//! The form is the same whether or not something is traced: also where telemetry is switched off, messages are in envelopes, and are
//! taken out of them.
//!
//! # How to introduce it
//!
//! Subscribers first: a [`TracedConsumer`] takes bare messages as they are. Then publishers, each channel when all of its subscribers
//! are there; for the others [`TracedProducer::form_for`] says [`Form::Bare`].
//!
//! # Defaults, and how to change them
//!
//! Process-wide providers and propagator (the W3C's if none is installed); a message's creation context is the parent of its process
//! span, and linked. [`Settings`] changes all that, for each producer and consumer.
//!
//! # Features
//!
//! `tokio` (default): redis' asynchronous connections, on tokio; without it there are the synchronous ones. The connection manager and
//! clusters are features of redis. `internal-logs` (default): one warning, a `tracing` event, when the first messages saw no SDK.
//! `tracing`: process spans are opened as `tracing` spans too, so that bare `tracing` events land on them. `logs`: failures as log events,
//! for [`Settings`]' logger provider.
//!
//! # Limits
//!
//! - A subscriber without this crate gets the envelope.
//! - Keyspace notifications (`__keyspace@0__:..`, `__keyevent@0__:..`) are messages of Redis' own, in no envelope: each starts a trace, and
//!   is counted by `traced.context.missing`. [`Settings::filter`] leaves them out:
//!   `.filter(|message| !message.destination().starts_with("__key"))`.
//! - Redis keeps no message: what is published while a subscriber is away is lost, also while a connection manager connects again.
//! - A connection manager gives up after six attempts, about ten seconds, and its subscriber is deaf without an error: give it
//!   `ConnectionManagerConfig::set_number_of_retries`, as [`Subscription`] shows.
//! - A connection that is subscribed to a channel by its name and by a pattern gets a message twice, and processes it twice.
//! - A payload that looks like an envelope is taken for one, such as a message that is passed on bare, as it came.
//!   [`Settings::accept_forms`] says which ones.
//! - redis hides the server's address: [`Settings::server`] adds it.
//! - A publish whose future is dropped ends as `cancelled`, although Redis may have got the message: redis does not tell.
//! - In a cluster, a pipeline goes to one node: channels and streams in different slots are refused (`CROSSSLOT`), names with the same
//!   `{tag}` are in one. redis' synchronous cluster connection takes no pipelines of this crate at all.
//! - Where a cluster reads from replicas, the number of deliveries (`XPENDING`) may come from one that lags, and be too low.
//! - The time that an entry waited is counted from its id, by the server's clock; an id that the application made up counts as none.
//! - A waiting read from `$` asks for the stream's end first, by `XREVRANGE`: a user that may not needs `longest_block(Duration::MAX)`.
//! - The acknowledgement inside of `retry` and `republish` makes no span of its own.
//! - `XACKDEL`, `XNACK` and `XRANGE` make no spans: send them over the connection, and [wrap](StreamConsumer::wrap) what they bring.
//! - Commands that are sent past this crate, from scripts too, carry no context.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod addition;
mod attempt;
mod batch;
mod batch_entry;
mod batch_message;
#[doc(hidden)]
pub mod bench;
mod body;
#[cfg(feature = "tokio")]
mod claim;
mod claim_blocking;
mod claiming;
mod consumer;
mod destination;
mod entries;
mod entry;
mod error;
mod headers;
mod message;
#[cfg(feature = "tokio")]
mod message_stream;
mod open_entry;
mod open_message;
mod pending;
mod pipeline;
mod pipeline_xadd;
mod producer;
#[cfg(feature = "tokio")]
mod publish;
mod publish_blocking;
mod publisher;
mod reading;
mod receiving;
mod republish;
mod rewritten;
mod settlement;
mod source;
mod stream_consumer;
#[cfg(feature = "tokio")]
mod stream_read;
mod stream_read_blocking;
mod stream_source;
#[cfg(feature = "tokio")]
mod subscription;
#[cfg(feature = "tokio")]
mod traced_destination;
mod traced_entry;
mod traced_message;
#[cfg(feature = "tokio")]
mod xadd;
mod xadd_blocking;

pub use claiming::TracedAutoClaim;
pub use consumer::TracedConsumer;
pub use entry::Entry;
pub use headers::{Fields, HeaderExtractor, HeaderInjector};
pub use message::Message;
pub use open_entry::OpenEntry;
pub use open_message::OpenMessage;
pub use opentelemetry;
pub use pipeline::TracedPipeline;
pub use producer::TracedProducer;
pub use redis;
pub use stream_consumer::StreamConsumer;
#[cfg(feature = "tokio")]
pub use subscription::Subscription;
#[cfg(feature = "tokio")]
pub use traced_destination::TracedDestination;
pub use traced_entry::TracedEntry;
pub use traced_envelope as envelope;
pub use traced_envelope::{AcceptedForms, CloudEvents, Envelope, Form, Outcome, Relation, Settings};
pub use traced_message::TracedMessage;

/// The telemetry of this crate's scope. A frame of a foreign writer can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("redis", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
