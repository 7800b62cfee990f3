//! Python on the other side of the queue, over real brokers: pika and confluent-kafka with their own OpenTelemetry instrumentations, and
//! redis-py, which has none for messages, with a context in its JSON.
//!
//! What is exact, in which direction:
//!
//! | | Rust → Python | Python → Rust |
//! |---|---|---|
//! | trace id, parent, flags, `tracestate` | exact | exact |
//! | baggage | exact | exact, but for a value with spaces and no plus: each space arrives as `+` |
//! | confluent-kafka's spans | link ours, in a trace of their own: who wants to continue ours extracts its context | ours are below them |
//! | a message that is sent on with the headers that it came with | replaced by pika, by confluent-kafka's appended to | one of each name |
//!
//! Python's propagator writes a space as `+`, as HTML forms do, and a plus as `%2B`. By the W3C's text `+` is a character like others,
//! and Go writes a plus so: nothing in `a+b` says which of the two it is. A value that holds both `+` and `%2B` does say it.
//!
//! What all partners share is in `context.rs`, `environment.rs` and `partner.rs`, and `partner.py`; a client has a folder of its scripts,
//! and a file beside it with the tests.

#![allow(clippy::indexing_slicing, reason = "JSON has no index that panics when it is read")]

mod context;
mod environment;
mod kafka;
mod partner;
mod rabbitmq;
mod redis;
