//! One OpenTelemetry trace through Kafka, over [rdkafka].
//!
//! Wrap the producer that you have in a [`TracedProducer`] and the consumer in a [`TracedConsumer`], and the handler's spans become
//! children of the producer's, also across processes and languages. Arguments, payloads and errors are rdkafka's, unchanged.
//!
//! ```no_run
//! use rdkafka::Message;
//! use rdkafka::consumer::StreamConsumer;
//! use rdkafka::producer::{FutureProducer, FutureRecord};
//! use rdkafka::util::Timeout;
//! use traced_kafka::{TracedConsumer, TracedProducer};
//!
//! # async fn reserve(_: Option<&[u8]>) -> anyhow::Result<()> { Ok(()) }
//! # async fn example(producer: FutureProducer, consumer: StreamConsumer) -> anyhow::Result<()> {
//! let producer = TracedProducer::new(producer);
//! let record = FutureRecord::to("orders").key("42").payload("{}");
//! producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
//!
//! let consumer = TracedConsumer::new(consumer); // subscribed to "orders"
//! loop {
//!     let message = consumer.recv().await?;
//!     message.process(async |message| reserve(message.payload()).await).await?;
//! }
//! # }
//! ```
//!
//! # What you will see
//!
//! ```text
//! checkout                  shop       INTERNAL
//! └─ send orders            shop       PRODUCER
//!    └─ process orders      warehouse  CONSUMER  → send orders
//!       └─ reserve stock    warehouse  INTERNAL
//! ```
//!
//! | call | span | starts | ends |
//! |---|---|---|---|
//! | [`TracedProducer::send`](TracedProducer#method.send), [`send_result`](TracedProducer::send_result) | `send {topic}`, PRODUCER | before the record is queued | with the delivery report, or where its future is dropped |
//! | [`TracedProducer::send_batch`] | `create ..` for each record, one `send ..` that links them | before the first is queued | with the last delivery report |
//! | [`TracedProducer::begin_transaction`] | `transaction`, INTERNAL | before the begin | with [commit](TracedProducer::commit_transaction), [abort](TracedProducer::abort_transaction), or as `cancelled` where it is dropped |
//! | [`TracedMessage::process`], [`process_blocking`](TracedMessage::process_blocking) | `process {topic}`, CONSUMER | with the handler | when it returns, fails, panics or is dropped |
//! | [`TracedMessage::start`] | the same | at once | when the message is [finished](OpenMessage::finish) or dropped |
//! | [`TracedConsumer::process_batch`] | the same, with a link to each message | with the handler | as `process` |
//! | [`TracedProducer::republish`], [`retry`](TracedProducer::retry) | `send {topic}`, CLIENT, linked to the message's first producer | before the copy is sent | with the delivery report |
//! | [`TracedConsumer::recv`], [`poll`](TracedConsumer::poll), [`stream`](TracedConsumer::stream), [`iter`](TracedConsumer::iter) | `poll {topic}`, CLIENT; opt-in | when the wait began | when it brought a message |
//! | [`TracedConsumer::commit_message`], [`commit`](TracedConsumer::commit), [`commit_consumer_state`](TracedConsumer::commit_consumer_state) | `commit {topic}`, CLIENT; opt-in | before the call | when it returned |
//!
//! # Defaults, and how to change them
//!
//! Process-wide providers and propagator (the W3C's if none is installed); a message's creation context is the parent of its process
//! span, and linked. [`Settings`] changes all that, for each producer and consumer. Opt-in: keys
//! ([`message_keys`](Settings::message_keys)), sizes, and the spans of [polls](Settings::receive_spans) and
//! [commits](Settings::settle_spans).
//!
//! The time that a message waited is counted from its timestamp, in milliseconds: by the producer's clock or, where the topic says
//! `message.timestamp.type=LogAppendTime`, by the broker's. A timestamp of the future counts as no time.
//!
//! # Features
//!
//! `tokio` (default): rdkafka on tokio. `internal-logs` (default): one warning, a `tracing` event, when the first messages saw no SDK.
//! `tracing`: process spans are opened as `tracing` spans too, so that bare `tracing` events land on them. `logs`: failures as log events,
//! for [`Settings`]' logger provider.
//!
//! # Limits
//!
//! - rdkafka panics where a program iterates over headers one of which has a name that is not UTF-8. This crate never does, and
//!   [`HeaderExtractor`] reads such a record; a loop of your own over [`Message::headers`](rdkafka::Message::headers) still panics.
//! - Two different valid contexts on one message are none: its span starts a trace, and `traced.context.missing` counts it as
//!   `conflicting`. Python's instrumentation of confluent-kafka appends, and so makes two where a message is sent on with its headers. Its
//!   consumer links the sender and starts a trace of its own, unless the application extracts the context.
//! - The partition is on the spans, not on the metrics.
//! - rdkafka hides the brokers' addresses, the consumer group and the client's id: [`Settings::server`], [`Settings::consumer_group`] and
//!   [`Settings::client_id`] add them.
//! - Kafka counts no deliveries: a message that is read again after a crash looks like a first attempt. Only what is sent on by
//!   [`retry`](TracedProducer::retry), or by a framework of [`TracedConsumer::attempt_headers`], has a number.
//! - A delivery callback belongs to the producer from the start: a [`BaseProducer`](rdkafka::producer::BaseProducer) or
//!   [`ThreadedProducer`](rdkafka::producer::ThreadedProducer) must be made with a [`TracedContext`]; one that exists cannot be wrapped.
//!   The callback's message is the one that was sent, with our headers.
//! - Brokers before 0.11 refuse headers: [`Settings::propagation`] switches writing them off.
//! - A commit makes a span only through [`TracedConsumer`]; storing offsets, and librdkafka's own commits, make none.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt;
mod base_consumer;
mod base_producer;
mod batch;
mod batch_message;
#[doc(hidden)]
pub mod bench;
mod consumer;
mod context;
mod delivery_future;
mod destination;
mod error;
mod future_producer;
mod headers;
mod in_flight;
mod message;
mod native_headers;
mod open_message;
mod open_transaction;
mod producer;
mod republish;
mod settlement;
mod source;
mod stream_consumer;
mod traced_destination;
mod transaction;

pub use base_consumer::TracedIter;
pub use consumer::TracedConsumer;
pub use context::{TracedContext, TracedOpaque};
pub use delivery_future::TracedDeliveryFuture;
pub use headers::{HeaderExtractor, HeaderInjector};
pub use message::{NativeMessage, TracedMessage};
pub use open_message::OpenMessage;
pub use opentelemetry;
pub use producer::TracedProducer;
pub use rdkafka;
pub use stream_consumer::TracedMessageStream;
pub use traced_destination::TracedDestination;
pub use traced_envelope as envelope;
pub use traced_envelope::{Outcome, Relation, Settings};

/// The telemetry of this crate's scope. A record can hold a header more than once.
fn telemetry(settings: &Settings) -> traced_envelope::Telemetry {
    traced_envelope::Telemetry::scoped("kafka", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), settings)
        .headers_may_repeat()
}
