//! An entry on its way into its stream.

use crate::headers::Fields;
use crate::headers::sealed::Sealed;
use crate::publisher::Publisher;
use crate::stream_source::own_size;
use crate::{HeaderExtractor, error};
use opentelemetry::propagation::Injector;
use redis::{Arg, Cmd, RedisResult, RedisWrite as _, ToRedisArgs, cmd};
use traced_envelope::semconv::MESSAGE_ID;
use traced_envelope::{Existing, MessageHeaders, MessageSpan, Operation, Outcome, PreparedDestination, Telemetry};

/// An `XADD`, with the entry's fields where they are: among its arguments. A list of them would be one more copy.
pub(crate) struct Xadd {
    command: Cmd,
    /// Which of the arguments is the first of the fields.
    first_field: usize,
}

/// An entry that is about to be added.
pub(crate) struct Addition {
    xadd: Xadd,
    /// Whether Redis tells entries apart by what is in them.
    by_content: bool,
}

impl Addition {
    pub(crate) fn new(key: impl ToRedisArgs, id: impl ToRedisArgs, items: impl ToRedisArgs) -> Self {
        Self::with_options(key, None::<&str>, id, items)
    }

    pub(crate) fn with_options(
        key: impl ToRedisArgs,
        options: impl ToRedisArgs,
        id: impl ToRedisArgs,
        items: impl ToRedisArgs,
    ) -> Self {
        let mut command = cmd("XADD");
        command.arg(key).arg(options);
        // Before it stand only words without arguments: `NOMKSTREAM`, and which references are deleted.
        let by_content = arguments(&command).skip(2).take(3).any(|option| option == b"IDMPAUTO");
        command.arg(id);
        let first_field = command.args_iter().len();
        command.reserve_space_for_args(CONTEXT);
        command.arg(items);
        Self { xadd: Xadd { command, first_field }, by_content }
    }

    pub(crate) fn stream(&self) -> &[u8] {
        arguments(&self.xadd.command).nth(1).unwrap_or_default()
    }

    /// Whether a context can be written.
    pub(crate) fn takes_context(&self) -> bool {
        self.xadd.has_pairs() && !self.by_content
    }

    /// Which argument of the command is the first of the fields.
    pub(crate) const fn first_field(&self) -> usize {
        self.xadd.first_field
    }

    /// What was found among the fields.
    pub(crate) fn existing(&self, publisher: &Publisher) -> Existing {
        if !self.xadd.has_pairs() {
            return Existing::default();
        }
        publisher.telemetry.existing(&HeaderExtractor(&self.xadd))
    }

    pub(crate) fn operation<'d>(
        &self,
        name: &'static str,
        destination: &'d PreparedDestination,
        telemetry: &Telemetry,
    ) -> Operation<'d> {
        let operation = Operation::new(name, destination);
        if !telemetry.notes_message_sizes() {
            return operation;
        }
        operation.body_size(own_size(telemetry, self.xadd.fields()))
    }

    /// Starts a span by `start`, which writes its context into the fields. With `IDMPAUTO` it is not written: Redis recognises the
    /// entry that was added before by its content, which another context would make another one.
    pub(crate) fn start<'d>(
        &mut self,
        operation: Operation<'d>,
        start: impl FnOnce(Operation<'d>, &mut dyn Injector) -> MessageSpan,
    ) -> MessageSpan {
        if self.takes_context() {
            start(operation, &mut self.xadd)
        } else {
            start(operation.keep_existing(), &mut MessageHeaders::new())
        }
    }

    pub(crate) fn command(self) -> Cmd {
        self.xadd.command
    }
}

/// Room for a `traceparent`, made with the room for everything else.
const CONTEXT: [usize; 2] = [11, 55];

fn arguments(command: &Cmd) -> impl Iterator<Item = &[u8]> {
    command.args_iter().map_while(|argument| match argument {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    })
}

impl Xadd {
    /// Not none, and not a name without a value: the server refuses that, and must be given the same.
    fn has_pairs(&self) -> bool {
        let fields = self.command.args_iter().len().saturating_sub(self.first_field);
        fields > 0 && fields.is_multiple_of(2)
    }

    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut arguments = arguments(&self.command).skip(self.first_field);
        std::iter::from_fn(move || Some((arguments.next()?, arguments.next()?)))
    }
}

impl Fields for Xadd {}
impl Sealed for Xadd {
    fn all(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.fields().map(|(name, value)| (name, Some(value)))
    }
}

/// Writes headers behind the fields, as [`HeaderInjector`](crate::HeaderInjector) does in a list.
impl Injector for Xadd {
    fn set(&mut self, name: &str, value: String) {
        let is_there = |field: &[u8]| field.eq_ignore_ascii_case(name.as_bytes());
        if self.fields().any(|(field, _)| is_there(field)) {
            let mut without = Cmd::new();
            arguments(&self.command).take(self.first_field).for_each(|argument| _ = without.arg(argument));
            let others = self.fields().filter(|(field, _)| !is_there(field));
            others.for_each(|(field, value)| _ = without.arg(field).arg(value));
            self.command = without;
        }
        if !value.is_empty() {
            self.command.arg(name).arg(value);
        }
    }
}

impl Publisher {
    /// Starts the send span of an entry: the command that adds it has its context.
    pub(crate) fn add(&self, mut addition: Addition) -> (MessageSpan, Cmd) {
        let destination = self.prepared("xadd", &String::from_utf8_lossy(addition.stream()));
        let operation = addition.operation("xadd", &destination, &self.telemetry).existing(addition.existing(self));
        let span = addition.start(operation, |operation, fields| self.telemetry.send(operation, fields));
        (span, addition.command())
    }
}

/// The command that adds an entry, with the context of a span among its fields; `None` if another command stands in its place.
pub(crate) fn with_context(given: &Cmd, first_field: usize, span: &MessageSpan) -> Option<Cmd> {
    let is_ours = arguments(given).next() == Some(b"XADD");
    let mut xadd = Xadd { command: given.clone(), first_field };
    (is_ours && xadd.has_pairs()).then(|| {
        span.inject(&mut xadd);
        xadd.command
    })
}

/// How the span of an entry ends that Redis has answered. Without an id nothing was added, which `NOMKSTREAM` asked for.
pub(crate) fn added(result: &RedisResult<Option<String>>, span: &MessageSpan) -> Outcome {
    if let Ok(Some(id)) = result {
        span.set_attribute(&MESSAGE_ID, id.clone());
    }
    error::of_result(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::streams::{StreamAddOptions, StreamMaxlen, StreamTrimStrategy, StreamTrimmingMode};
    use traced_envelope::testing::Capture;
    use traced_envelope::{ExistingContext, Form, Propagation, Settings};

    fn packed(command: &Cmd) -> Vec<u8> {
        command.get_packed_command()
    }

    fn publisher(settings: &Settings) -> Publisher {
        Publisher::new(Form::Bare, crate::telemetry(settings))
    }

    #[test]
    fn without_a_context_the_command_is_redis_own_to_the_byte() {
        let publisher = publisher(&Settings::default().propagation(Propagation::ExtractOnly));
        let fields = [("b", &b"1"[..]), ("\u{e4}", b"\xff\0"), ("b", b""), ("", b"2")];
        let trim = StreamTrimStrategy::maxlen(StreamTrimmingMode::Approx, 7);
        let options = StreamAddOptions::default().nomkstream().trim(trim);
        let none: [(&str, &str); 0] = [];
        for (ours, native) in [
            (Addition::new("orders", "*", &fields), Cmd::xadd("orders", "*", &fields)),
            (Addition::new("orders", "1-1", &none), Cmd::xadd("orders", "1-1", &none)),
            (Addition::new("orders", "*", &["odd"]), Cmd::xadd_map("orders", "*", &["odd"])),
            (
                Addition::with_options("orders", &options, "*", &fields),
                Cmd::xadd_options("orders", "*", &fields, &options),
            ),
            (
                Addition::with_options("orders", StreamMaxlen::Equals(3), "*", &fields),
                Cmd::xadd_maxlen("orders", StreamMaxlen::Equals(3), "*", &fields),
            ),
        ] {
            assert_eq!(packed(&publisher.add(ours).1), packed(&native));
        }
    }

    #[test]
    fn the_context_is_the_last_field_to_the_byte() {
        let capture = Capture::new();
        let (span, command) = publisher(&capture.settings("shop")).add(Addition::new("s", "*", &[("id", "42")]));
        let context = span.span_context().unwrap();
        let traceparent = format!("00-{}-{}-01", context.trace_id(), context.span_id());
        let expected = format!(
            "*7\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$2\r\nid\r\n$2\r\n42\r\n$11\r\ntraceparent\r\n$55\r\n{traceparent}\r\n"
        );
        // The SDK marks its trace ids as random: level 2 of the recommendation.
        let written = String::from_utf8(packed(&command)).unwrap().replace("-03\r\n", "-01\r\n");
        assert_eq!(written, expected);
    }

    #[test]
    fn what_the_server_refuses_is_refused_with_a_context_too() {
        let capture = Capture::new();
        let publisher = publisher(&capture.settings("shop"));
        let none: [(&str, &str); 0] = [];
        let (_span, command) = publisher.add(Addition::new("orders", "*", &none));
        assert_eq!(packed(&command), packed(&Cmd::xadd("orders", "*", &none)));
        let (_span, command) = publisher.add(Addition::new("orders", "*", &["odd"]));
        assert_eq!(packed(&command), packed(&Cmd::xadd_map("orders", "*", &["odd"])));
    }

    /// Bug that this prevents: of two equal orders the second would have been added again.
    #[test]
    fn an_entry_that_redis_knows_by_its_content_is_left_as_it_is() {
        let capture = Capture::new();
        let publisher = publisher(&capture.settings("shop"));
        for options in
            [StreamAddOptions::default().idmpauto("shop"), StreamAddOptions::default().nomkstream().idmpauto("shop")]
        {
            let (_span, command) = publisher.add(Addition::with_options("orders", &options, "*", &[("id", "42")]));
            assert_eq!(packed(&command), packed(&Cmd::xadd_options("orders", "*", &[("id", "42")], &options)));
        }
        let by_number = StreamAddOptions::default().idmp("shop", "42");
        let (_span, command) = publisher.add(Addition::with_options("orders", &by_number, "*", &[("id", "42")]));
        assert_ne!(packed(&command), packed(&Cmd::xadd_options("orders", "*", &[("id", "42")], &by_number)));
    }

    #[test]
    fn a_context_among_the_fields_is_replaced_or_kept() {
        let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let fields = [("Traceparent", theirs), ("tracestate", "a=1"), ("id", "42"), ("traceparent", theirs)];
        let capture = Capture::new();
        let replacing = publisher(&capture.settings("shop"));
        let (span, command) = replacing.add(Addition::new("orders", "*", &fields));
        assert_eq!(command.args_iter().len(), 7, "id and one traceparent");
        span.end(Outcome::Ok);
        assert_eq!(capture.span("xadd orders").links()[0].span_context.trace_id().to_string(), theirs[3..35]);

        let keeping = publisher(&capture.settings("shop").existing_context(ExistingContext::Keep));
        let (span, command) = keeping.add(Addition::new("orders", "*", &fields));
        assert_eq!(packed(&command), packed(&Cmd::xadd("orders", "*", &fields)));
        drop(span);
    }
}
