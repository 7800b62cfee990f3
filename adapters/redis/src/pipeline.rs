//! Pipelines and transactions with messages in them.

use crate::body::{Body, Bytes, Json};
use crate::error;
use crate::publisher::{Command, Publisher, Target};
use crate::rewritten::Rewritten;
use opentelemetry::trace::SpanContext;
use redis::{Pipeline, RedisError};
use serde_core::Serialize;
use std::fmt;
use traced_envelope::{Destination, Form, MessageSpan, Operation, Outcome, shared};

/// A pipeline in which messages have create spans; [`TracedProducer::pipeline`](crate::TracedProducer::pipeline) hands it to a closure.
///
/// The messages go through this, all other commands through [`get_mut`](Self::get_mut): redis' own pipeline, in which the commands
/// stand in the order in which they were added.
///
/// ```no_run
/// use redis::aio::MultiplexedConnection;
/// use traced_redis::{Form, TracedProducer};
///
/// # async fn example(connection: MultiplexedConnection) -> redis::RedisResult<()> {
/// let mut producer = TracedProducer::new(connection, Form::Binary);
/// let (left, receivers): (i64, usize) = producer
///     .pipeline(|pipeline| {
///         pipeline.get_mut().atomic().decr("stock", 1);
///         pipeline.publish("orders", b"1").publish("audit", b"1").ignore();
///     })
///     .await?;
/// # Ok(()) }
/// ```
pub struct TracedPipeline<'p> {
    pub(crate) pipeline: Pipeline,
    pub(crate) publisher: &'p Publisher,
    pub(crate) messages: Vec<Message>,
    /// The first payload that could not be written: then nothing is sent, and the send span says so.
    failed: Option<RedisError>,
}

/// One message of the pipeline.
pub(crate) struct Message {
    /// Its command's place.
    pub(crate) index: usize,
    pub(crate) operation: &'static str,
    /// The channel, or the stream.
    pub(crate) channel: Box<[u8]>,
    /// What the send span links: where it was created.
    pub(crate) created: Option<SpanContext>,
    /// How it gets its context once the send span is there, whose context it shares.
    pub(crate) waiting: Option<Waiting>,
}

#[derive(Clone, Copy)]
pub(crate) enum Waiting {
    /// Bytes, in an envelope.
    Bytes(Command),
    /// JSON, in an envelope.
    Json(Command),
    /// The fields of an entry, which begin with this argument.
    Fields(usize),
}

impl<'p> TracedPipeline<'p> {
    pub(crate) fn new(publisher: &'p Publisher) -> Self {
        Self { pipeline: Pipeline::new(), publisher, messages: Vec::new(), failed: None }
    }

    /// Adds a `PUBLISH` of bytes, in the form of [`TracedProducer::publish`](crate::TracedProducer::publish).
    ///
    /// ```no_run
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let (orders, audit): (usize, usize) = producer.pipeline_blocking(|pipeline| {
    ///     pipeline.publish("orders", b"42").publish("audit", b"42");
    /// })?;
    /// # Ok(()) }
    /// ```
    pub fn publish(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> &mut Self {
        self.add(Command::Publish, channel.as_ref(), &Bytes(payload.as_ref()), Waiting::Bytes)
    }

    /// Adds a `PUBLISH` of a value, in the form of [`TracedProducer::publish_json`](crate::TracedProducer::publish_json). A value that
    /// has no JSON fails the pipeline before anything of it is sent: its create span and the pipeline's send span have the error, and
    /// the send span links all create spans, that one too.
    ///
    /// ```no_run
    /// use std::collections::BTreeMap;
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let no_json = BTreeMap::from([((1, 2), 3)]); // a key is no string
    /// let failed = producer.pipeline_blocking::<()>(|pipeline| {
    ///     pipeline.publish_json("orders", &["42"]).publish_json("orders", &no_json);
    /// });
    /// assert_eq!(failed.unwrap_err().kind(), redis::ErrorKind::Client); // neither was sent
    /// # Ok(()) }
    /// ```
    pub fn publish_json<T>(&mut self, channel: impl AsRef<[u8]>, payload: &T) -> &mut Self
    where
        T: Serialize + ?Sized,
    {
        self.add(Command::Publish, channel.as_ref(), &Json::of(payload), Waiting::Json)
    }

    /// Adds an `SPUBLISH` of bytes.
    ///
    /// ```no_run
    /// use redis::cluster_async::ClusterConnection;
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<ClusterConnection>) -> redis::RedisResult<()> {
    /// let receivers: Vec<usize> = producer.pipeline(|pipeline| _ = pipeline.spublish("orders", b"42")).await?;
    /// # Ok(()) }
    /// ```
    pub fn spublish(&mut self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> &mut Self {
        self.add(Command::Spublish, channel.as_ref(), &Bytes(payload.as_ref()), Waiting::Bytes)
    }

    /// Adds an `SPUBLISH` of a value, as [`publish_json`](Self::publish_json).
    ///
    /// ```no_run
    /// use redis::cluster_async::ClusterConnection;
    /// use traced_redis::TracedProducer;
    ///
    /// # async fn example(mut producer: TracedProducer<ClusterConnection>) -> redis::RedisResult<()> {
    /// let receivers: Vec<usize> = producer.pipeline(|pipeline| _ = pipeline.spublish_json("orders", &[42])).await?;
    /// # Ok(()) }
    /// ```
    pub fn spublish_json<T>(&mut self, channel: impl AsRef<[u8]>, payload: &T) -> &mut Self
    where
        T: Serialize + ?Sized,
    {
        self.add(Command::Spublish, channel.as_ref(), &Json::of(payload), Waiting::Json)
    }

    /// [`Pipeline::ignore`]: leaves the last command's result out of the pipeline's.
    ///
    /// ```no_run
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let (left,): (i64,) = producer.pipeline_blocking(|pipeline| {
    ///     pipeline.publish("orders", b"42").ignore().get_mut().decr("stock", 1);
    /// })?;
    /// # Ok(()) }
    /// ```
    pub fn ignore(&mut self) -> &mut Self {
        self.pipeline.ignore();
        self
    }

    /// [`Pipeline::atomic`]: runs all commands in one transaction, between `MULTI` and `EXEC`.
    ///
    /// ```no_run
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// producer.pipeline_blocking::<()>(|pipeline| {
    ///     pipeline.atomic().publish("orders", b"42").get_mut().set("last", 42);
    /// })
    /// # }
    /// ```
    pub fn atomic(&mut self) -> &mut Self {
        self.pipeline.atomic();
        self
    }

    /// redis' pipeline so far.
    ///
    /// ```no_run
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// producer.pipeline_blocking::<()>(|pipeline| {
    ///     pipeline.publish("orders", b"42");
    ///     assert_eq!(pipeline.get_ref().len(), 1);
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &Pipeline {
        &self.pipeline
    }

    /// redis' pipeline, for all other commands. Do not [clear](Pipeline::clear) it: the messages' spans have been made.
    ///
    /// ```no_run
    /// use traced_redis::TracedProducer;
    ///
    /// # fn example(mut producer: TracedProducer<redis::Connection>) -> redis::RedisResult<()> {
    /// let (left, receivers): (i64, usize) = producer.pipeline_blocking(|pipeline| {
    ///     pipeline.get_mut().decr("stock", 1); // no message, no span
    ///     pipeline.publish("orders", b"42");
    /// })?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    fn add(
        &mut self,
        command: Command,
        channel: &[u8],
        body: &impl Body,
        waiting: fn(Command) -> Waiting,
    ) -> &mut Self {
        let name = String::from_utf8_lossy(channel);
        let form = self.publisher.form(&name);
        let destination = self.publisher.prepared("create", &name);
        let target = Target { command, channel, form, destination: &destination };
        let telemetry = &self.publisher.telemetry;
        let creates = telemetry.makes_create_spans();
        // A message that waits stands in the pipeline as it is: what it shares is known when all of them are.
        let started = if creates {
            let operation = target.operation("create", body);
            target.start(body, telemetry, |headers| telemetry.create(operation, headers))
        } else {
            Target { form: &Form::Bare, ..target }.start(body, telemetry, |_| MessageSpan::off())
        };
        let message = Message {
            index: self.pipeline.len(),
            operation: command.operation(),
            channel: channel.into(),
            created: started.span.span_context(),
            waiting: (!creates).then(|| waiting(command)),
        };
        self.note(message);
        match started.command {
            Ok(native) => {
                started.span.end(Outcome::Ok);
                self.pipeline.add_command(native);
            }
            Err(error) => {
                started.span.end(error::of_error(&error));
                self.failed.get_or_insert(error);
            }
        }
        self
    }

    /// Of a pipeline that was cleared meanwhile, those that stood in it are forgotten: others have their places now.
    pub(crate) fn note(&mut self, message: Message) {
        // One that could not be written has a place, but no command; nothing is sent then.
        if self.failed.is_none() {
            self.messages.retain(|before| before.index < message.index);
        }
        self.messages.push(message);
    }

    /// Starts the send span, and gives the messages that waited for it their context. `None` for a pipeline without messages.
    pub(crate) fn start(self) -> redis::RedisResult<Sending> {
        let Self { pipeline, publisher, messages, failed } = self;
        let Some(operation) = shared(messages.iter().map(|message| message.operation)).or_else(|| {
            // Several commands in one pipeline.
            messages.first().map(|_| "publish")
        }) else {
            return Ok(Sending { pipeline, rewritten: Rewritten::default(), span: MessageSpan::off() });
        };
        let destination = match shared(messages.iter().map(|message| &message.channel)) {
            Some(channel) => publisher.prepared(operation, &String::from_utf8_lossy(channel)),
            None => publisher.telemetry.prepare(operation, Destination::default()),
        };
        let created = messages.iter().filter_map(|message| message.created.clone());
        let operation = Operation::new(operation, &destination).batch(messages.len());
        let span = publisher.telemetry.send_batch(operation, created);
        if let Some(error) = failed {
            // The call has failed, and the messages that were created go nowhere: their own spans are over, this one tells.
            span.end(error::of_error(&error));
            return Err(error);
        }
        let waiting = messages.iter().filter_map(|message| {
            let name = String::from_utf8_lossy(&message.channel);
            Some((message.index, publisher.form(&name), message.waiting?))
        });
        let places = messages.iter().map(|message| message.index).collect();
        let rewritten = Rewritten::new(&pipeline, waiting, &span, places);
        Ok(Sending { pipeline, rewritten, span })
    }
}

/// A pipeline that is ready to go.
pub(crate) struct Sending {
    pub(crate) pipeline: Pipeline,
    pub(crate) rewritten: Rewritten,
    pub(crate) span: MessageSpan,
}

impl fmt::Debug for TracedPipeline<'_> {
    /// The commands are left out: they are the application's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracedPipeline")
            .field("commands", &self.pipeline.len())
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}
