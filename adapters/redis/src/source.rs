//! Where messages come from: what a process span says of them besides the message itself.

use crate::message::Place;
use crate::publisher::note_envelope;
use crate::{Message, destination};
use redis::Msg;
use std::borrow::Cow;
use traced_envelope::{
    AcceptedForms, Envelope, MessageSpan, Operation, PreparedDestination, Settings, Telemetry, is_anonymous,
};

/// Where messages come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) telemetry: Telemetry,
    /// Whether entries of a stream are asked for by single reads.
    pub(crate) pulled: bool,
}

impl Source {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { telemetry: crate::telemetry(settings), pulled: false }
    }

    pub(crate) fn accepted(&self) -> AcceptedForms {
        self.telemetry.settings().accepted_forms()
    }

    pub(crate) fn destination(&self, message: &Msg) -> PreparedDestination {
        let channel = channel(message);
        match pattern(message) {
            Some(pattern) => self
                .telemetry
                .prepared("process", &[&channel, &pattern], |_| destination::of_pattern(&channel, &pattern)),
            None if is_anonymous(&channel) => self.telemetry.prepare("process", destination::of_channel(&channel)),
            None => self.telemetry.prepared("process", &[&channel], |_| destination::of_channel(&channel)),
        }
    }

    /// Opens the envelope and starts the span; where nothing is traced the envelope is opened all the same.
    pub(crate) fn process(&self, message: Msg) -> (MessageSpan, Message) {
        let envelope = Envelope::decode(message.get_payload_bytes(), self.accepted());
        let span = if self.telemetry.is_enabled() {
            let destination = self.destination(&message);
            let operation = Operation::new("process", &destination).body_size(envelope.payload().len());
            let span = self.telemetry.process(operation, &envelope);
            if !envelope.is_plain() {
                note_envelope(&self.telemetry, &span, message.get_payload_bytes().len());
            }
            span
        } else {
            MessageSpan::off()
        };
        let payload = Place::of(envelope);
        (span, Message::new(message, payload))
    }
}

/// redis shows `?` for a name that is not UTF-8: telemetry shows what is readable of it.
pub(crate) fn channel(message: &Msg) -> Cow<'_, str> {
    match message.get_channel_name() {
        "?" => message.get_channel::<Vec<u8>>().map_or(Cow::Borrowed("?"), |name| lossy(&name).into()),
        name => Cow::Borrowed(name),
    }
}

fn pattern(message: &Msg) -> Option<String> {
    message.get_pattern::<Option<Vec<u8>>>().ok().flatten().map(|pattern| lossy(&pattern))
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
