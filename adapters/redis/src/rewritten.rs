//! A pipeline on its way through the connection: what is sent instead of messages that waited for the send span, and what Redis says
//! of the messages.
//!
//! redis puts the results together by what it alone knows of the pipeline (ignored commands, ignored errors): so the connection is what
//! is wrapped, and the pipeline stays the user's.

use crate::pipeline::Waiting;
use crate::publisher::Command;
use crate::{addition, error};
use redis::{Arg, Cmd, ConnectionLike, Pipeline, RedisResult, Value};
use serde_json::value::RawValue;
use traced_envelope::{Envelope, Form, MessageHeaders, MessageSpan, Outcome};

#[derive(Default)]
pub(crate) struct Rewritten {
    /// `None`: the pipeline is sent as it is.
    pipeline: Option<Pipeline>,
    is_transaction: bool,
    /// The places of the messages' commands.
    messages: Vec<usize>,
    /// What became of the messages, once it is known.
    pub(crate) outcome: Option<Outcome>,
}

impl Rewritten {
    /// `waiting`: places, in their order, and how their payloads are sent.
    pub(crate) fn new<'f>(
        pipeline: &Pipeline,
        waiting: impl Iterator<Item = (usize, &'f Form, Waiting)>,
        span: &MessageSpan,
        messages: Vec<usize>,
    ) -> Self {
        let mut waiting = waiting.peekable();
        let rewritten = waiting.peek().is_some().then(|| {
            let mut rewritten = Pipeline::with_capacity(pipeline.len());
            if pipeline.is_transaction() {
                rewritten.atomic();
            }
            for (index, given) in pipeline.cmd_iter().enumerate() {
                while waiting.next_if(|(place, ..)| *place < index).is_some() {}
                let message = waiting.next_if(|(place, ..)| *place == index);
                let enveloped = message.and_then(|(_, form, waiting)| match waiting {
                    Waiting::Bytes(command) => enveloped(given, command, form, false, span),
                    Waiting::Json(command) => enveloped(given, command, form, true, span),
                    Waiting::Fields(first) => addition::with_context(given, first, span),
                });
                rewritten.add_command(enveloped.unwrap_or_else(|| given.clone()));
            }
            rewritten
        });
        Self { pipeline: rewritten, is_transaction: pipeline.is_transaction(), messages, outcome: None }
    }

    fn note(&mut self, answers: &RedisResult<Vec<Value>>) {
        let outcome = match answers {
            Ok(answers) if self.is_transaction => match answers.last() {
                Some(Value::Nil) => {
                    Outcome::error("transaction_aborted", "a watched key was changed: nothing was sent")
                }
                Some(Value::Array(answers)) => self.of(answers),
                // `EXEC` itself was refused, as by a node that has handed its slot over since.
                Some(Value::ServerError(error)) => error::of_error(&error.clone().into()),
                _ => Outcome::Ok,
            },
            Ok(answers) => self.of(answers),
            Err(error) => error::of_error(error),
        };
        self.outcome = Some(outcome);
    }

    /// Only an error of a message is one of the span: other commands have nothing to do with it.
    fn of(&self, answers: &[Value]) -> Outcome {
        let mut of_messages = self.messages.iter().filter_map(|place| answers.get(*place));
        let error = of_messages.find_map(|answer| match answer {
            Value::ServerError(error) => Some(error.clone()),
            _ => None,
        });
        error.map_or(Outcome::Ok, |error| error::of_error(&error.into()))
    }
}

/// The command with its payload in an envelope; `None` if another command stands in the message's place.
fn enveloped(given: &Cmd, command: Command, form: &Form, is_json: bool, span: &MessageSpan) -> Option<Cmd> {
    let mut arguments = given.args_iter();
    let mut argument = || match arguments.next()? {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    };
    let (name, channel, payload) = (argument()?, argument()?, argument()?);
    if !name.eq_ignore_ascii_case(command.operation().as_bytes()) || argument().is_some() {
        return None;
    }
    let mut headers = MessageHeaders::new();
    span.inject(&mut headers);
    if !is_json {
        return Some(command.to(channel, form.encode_parts(&headers, payload)));
    }
    if *form == Form::Bare {
        return None;
    }
    let payload: &RawValue = serde_json::from_slice(payload).ok()?;
    Some(command.to(channel, (Envelope::encode_raw_json(&headers, payload), &[])))
}

/// The connection that a pipeline is sent over.
pub(crate) struct Watched<'c, C> {
    pub(crate) connection: &'c mut C,
    pub(crate) rewritten: Rewritten,
}

#[cfg(feature = "tokio")]
impl<C: redis::aio::ConnectionLike + Send> redis::aio::ConnectionLike for Watched<'_, C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> redis::RedisFuture<'a, Value> {
        self.connection.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> redis::RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let sent = self.rewritten.pipeline.as_ref().unwrap_or(pipeline);
            let answers = self.connection.req_packed_commands(sent, offset, count).await;
            self.rewritten.note(&answers);
            answers
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

impl<C: ConnectionLike> ConnectionLike for Watched<'_, C> {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.connection.req_packed_command(command)
    }

    fn req_packed_commands(&mut self, packed: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let answers = match &self.rewritten.pipeline {
            Some(sent) => self.connection.req_packed_commands(&sent.get_packed_pipeline(), offset, count),
            None => self.connection.req_packed_commands(packed, offset, count),
        };
        self.rewritten.note(&answers);
        answers
    }

    fn req_command(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.connection.req_command(command)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }

    fn supports_pipelining(&self) -> bool {
        self.connection.supports_pipelining()
    }

    fn check_connection(&mut self) -> bool {
        self.connection.check_connection()
    }

    fn is_open(&self) -> bool {
        self.connection.is_open()
    }
}
