//! What a producer is without its connection: describes, injects, and puts the payload into its envelope.

use crate::body::{Body, Parts};
use crate::{destination, error};
use redis::{Cmd, RedisResult, RedisWrite as _};
use std::io::Write as _;
use std::sync::Arc;
use traced_envelope::semconv::ENVELOPE_SIZE;
use traced_envelope::{
    Form, MessageHeaders, MessageSpan, Operation, Pattern, PreparedDestination, Telemetry, is_anonymous,
};

/// The two commands that publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// To a channel of the whole cluster.
    Publish,
    /// To a channel of one shard.
    Spublish,
}

impl Command {
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Spublish => "spublish",
        }
    }

    /// The command, into which a payload is copied once: redis' own takes one slice.
    pub(crate) fn to(self, channel: &[u8], (head, rest): Parts<'_>) -> Cmd {
        let name = match self {
            Self::Publish => "PUBLISH",
            Self::Spublish => "SPUBLISH",
        };
        let mut command = Cmd::with_capacity(3, name.len() + channel.len() + head.len() + rest.len());
        command.arg(name).arg(channel);
        let mut payload = command.writer_for_next_arg();
        // Writing into memory cannot fail.
        _ = payload.write_all(&head);
        _ = payload.write_all(rest);
        drop(payload);
        command
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    form: Form,
    /// Channels with a form of their own; the first that fits counts.
    forms: Arc<[(Pattern, Form)]>,
    pub(crate) telemetry: Telemetry,
}

impl Publisher {
    pub(crate) fn new(form: Form, telemetry: Telemetry) -> Self {
        Self { form, forms: Arc::default(), telemetry }
    }

    pub(crate) fn form_for(&mut self, channel: Pattern, form: Form) {
        self.forms = self.forms.iter().cloned().chain([(channel, form)]).collect();
    }

    pub(crate) fn form(&self, channel: &str) -> &Form {
        self.forms.iter().find(|(pattern, _)| pattern.matches(channel)).map_or(&self.form, |(_, form)| form)
    }

    pub(crate) fn prepared(&self, operation: &'static str, channel: &str) -> PreparedDestination {
        if is_anonymous(channel) {
            // The channel of one requester: many of them would take the place of the destinations that last.
            return self.telemetry.prepare(operation, destination::of_channel(channel));
        }
        self.telemetry.prepared(operation, &[channel], |_| destination::of_channel(channel))
    }

    /// Starts the send span of one message: the command that publishes it has its context.
    pub(crate) fn send(&self, command: Command, channel: &[u8], body: &impl Body) -> RedisResult<(MessageSpan, Cmd)> {
        let name = String::from_utf8_lossy(channel);
        let destination = self.prepared(command.operation(), &name);
        self.send_to(&Target { command, channel, form: self.form(&name), destination: &destination }, body)
    }

    /// The same for what was worked out before.
    pub(crate) fn send_to(&self, target: &Target<'_>, body: &impl Body) -> RedisResult<(MessageSpan, Cmd)> {
        let operation = target.operation(target.command.operation(), body);
        let Started { span, command } =
            target.start(body, &self.telemetry, |headers| self.telemetry.send(operation, headers));
        match command {
            Ok(command) => Ok((span, command)),
            Err(error) => {
                span.end(error::of_error(&error));
                Err(error)
            }
        }
    }
}

/// Where a message is published to, and how.
pub(crate) struct Target<'t> {
    pub(crate) command: Command,
    pub(crate) channel: &'t [u8],
    pub(crate) form: &'t Form,
    pub(crate) destination: &'t PreparedDestination,
}

impl<'t> Target<'t> {
    pub(crate) fn operation(&self, name: &'static str, body: &impl Body) -> Operation<'t> {
        let operation = Operation::new(name, self.destination);
        match body.size() {
            Some(bytes) => operation.body_size(bytes),
            None => operation,
        }
    }

    /// Starts a span by `start`. Whether or not it writes a context, the form is the same: subscribers rely on it.
    pub(crate) fn start(
        &self,
        body: &impl Body,
        telemetry: &Telemetry,
        start: impl FnOnce(&mut MessageHeaders) -> MessageSpan,
    ) -> Started {
        let mut headers = MessageHeaders::new();
        let span = start(&mut headers);
        let payload = body.encode(self.form, &headers);
        if let Ok((head, rest)) = &payload
            && *self.form != Form::Bare
        {
            note_envelope(telemetry, &span, head.len() + rest.len());
        }
        let command = payload.map(|payload| self.command.to(self.channel, payload));
        Started { span, command }
    }
}

/// How large a message is with its envelope, for those who ask for sizes.
pub(crate) fn note_envelope(telemetry: &Telemetry, span: &MessageSpan, bytes: usize) {
    if telemetry.notes_message_sizes() {
        span.set_attribute(&ENVELOPE_SIZE, i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

/// The span of a message, and the command that publishes it; or why its payload cannot be written.
pub(crate) struct Started {
    pub(crate) span: MessageSpan,
    pub(crate) command: RedisResult<Cmd>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use traced_envelope::Settings;

    #[test]
    fn the_command_is_redis_own_to_the_byte() {
        for payload in [&b""[..], b"{}", b"\r\n$3"] {
            for split in 0..=payload.len() {
                let parts = || (payload[..split].to_vec(), &payload[split..]);
                let publish = Command::Publish.to(b"orders", parts()).get_packed_command();
                assert_eq!(publish, Cmd::publish("orders", payload).get_packed_command());
                let spublish = Command::Spublish.to(b"orders", parts()).get_packed_command();
                assert_eq!(spublish, Cmd::spublish("orders", payload).get_packed_command());
            }
        }
    }

    #[test]
    fn the_first_pattern_that_fits_decides_the_form() {
        let mut publisher = Publisher::new(Form::Binary, crate::telemetry(&Settings::default()));
        publisher.form_for(Pattern::new("legacy.*"), Form::Bare);
        publisher.form_for(Pattern::new("legacy.new"), Form::Binary);
        for (channel, form) in [("orders", Form::Binary), ("legacy.old", Form::Bare), ("legacy.new", Form::Bare)] {
            assert_eq!(publisher.form(channel), &form, "{channel}");
        }
    }
}
