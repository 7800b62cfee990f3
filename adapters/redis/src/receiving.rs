//! The receive spans of reads and claims, for those who ask for them.

use crate::source::Source;
use crate::{Entry, StreamConsumer, TracedEntry, error};
use redis::RedisError;
use std::time::SystemTime;
use traced_envelope::{Destination, Operation, Outcome};

/// What a command asks for: all that its span can say where nothing came.
pub(crate) struct Asked<'a> {
    /// `None` for several streams.
    pub(crate) stream: Option<&'a [u8]>,
    pub(crate) group: Option<&'a [u8]>,
}

impl<C> StreamConsumer<C> {
    /// Wraps what a command brought that began at `started`.
    pub(crate) fn received(
        &self,
        operation: &'static str,
        entries: Vec<Entry>,
        started: SystemTime,
    ) -> Vec<TracedEntry> {
        self.source.receive(operation, &entries, started);
        entries.into_iter().map(|entry| self.wrap(entry)).collect()
    }
}

impl Source {
    /// One that brought nothing has none.
    fn receive(&self, operation: &'static str, entries: &[Entry], started: SystemTime) {
        let Some(first) = entries.first().filter(|_| self.telemetry.makes_receive_spans()) else { return };
        let destination = if entries.iter().all(|entry| entry.stream() == first.stream()) {
            self.of_stream(first.stream(), first.group())
        } else {
            self.telemetry.prepare(operation, of_group(first.group()))
        };
        let operation = Operation::new(operation, &destination).batch(entries.len());
        let received = entries.iter().map(|entry| self.creation(entry));
        self.telemetry.receive(operation, started, received).end(Outcome::Ok);
    }

    /// One that failed has one: an outage is seen there, and nowhere else.
    pub(crate) fn receive_failed(
        &self,
        operation: &'static str,
        asked: &Asked<'_>,
        started: SystemTime,
        error: &RedisError,
    ) {
        if !self.telemetry.makes_receive_spans() {
            return;
        }
        let destination = match asked.stream {
            Some(stream) => self.of_stream(stream, asked.group),
            None => self.telemetry.prepare(operation, of_group(asked.group)),
        };
        self.telemetry.receive(Operation::new(operation, &destination), started, []).end(error::of_error(error));
    }
}

/// Several streams, and the group that reads them.
pub(crate) fn of_group(group: Option<&[u8]>) -> Destination {
    Destination::default().consumer_group(group.map(String::from_utf8_lossy).unwrap_or_default())
}
