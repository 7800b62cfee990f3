//! What this crate does around redis' commands, without a connection: for the benchmarks of its workspace, which would otherwise measure
//! a copy. No part of the API.

use crate::addition::{Addition, added};
use crate::body::{Bytes, Json};
use crate::publisher::{Command, Publisher, Target};
use crate::source::Source;
use crate::{Entry, Message};
use redis::{Cmd, Msg, RedisResult, ToRedisArgs};
use serde_core::Serialize;
use traced_envelope::{Form, MessageSpan, PreparedDestination, Settings};

/// What [`TracedProducer`](crate::TracedProducer) does before the connection's call.
#[derive(Debug)]
pub struct Producer(Publisher);

impl Producer {
    pub fn new(form: Form, settings: &Settings) -> Self {
        Self(Publisher::new(form, crate::telemetry(settings)))
    }

    pub fn destination(&self, channel: &str) -> PreparedDestination {
        self.0.prepared("publish", channel)
    }

    pub fn publish(&self, channel: &str, payload: &[u8]) -> RedisResult<(MessageSpan, Cmd)> {
        self.0.send(Command::Publish, channel.as_bytes(), &Bytes(payload))
    }

    pub fn publish_json<T: Serialize + ?Sized>(&self, channel: &str, value: &T) -> RedisResult<(MessageSpan, Cmd)> {
        self.0.send(Command::Publish, channel.as_bytes(), &Json::of(value))
    }

    /// As [`TracedDestination`](crate::TracedDestination) does.
    pub fn publish_to(
        &self,
        destination: &PreparedDestination,
        channel: &str,
        payload: &[u8],
    ) -> RedisResult<(MessageSpan, Cmd)> {
        let form = self.0.form(channel);
        let target = Target { command: Command::Publish, channel: channel.as_bytes(), form, destination };
        self.0.send_to(&target, &Bytes(payload))
    }

    pub fn xadd(&self, stream: &str, fields: impl ToRedisArgs) -> (MessageSpan, Cmd) {
        self.0.add(Addition::new(stream, "*", fields))
    }
}

/// What an addition's answer does.
pub fn xadd_answered(span: MessageSpan, id: &RedisResult<Option<String>>) {
    let outcome = added(id, &span);
    span.end(outcome);
}

/// What [`TracedMessage`](crate::TracedMessage) and [`TracedEntry`](crate::TracedEntry) do before the handler runs.
#[derive(Debug)]
pub struct Consumer(Source);

impl Consumer {
    pub fn new(settings: &Settings) -> Self {
        Self(Source::new(settings))
    }

    pub fn process(&self, message: Msg) -> (MessageSpan, Message) {
        self.0.process(message)
    }

    pub fn process_entry(&self, entry: &Entry) -> MessageSpan {
        self.0.process_entry(entry)
    }
}
