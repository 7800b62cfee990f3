//! What the suite asks of an adapter and its broker.

use anyhow::{Result, bail};
use std::fmt::{Debug, Display};
use std::future::Future;
use traced_envelope::Settings;

/// What not every transport can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ability {
    /// Publishing many messages in one call.
    BatchPublish,
    /// Processing many messages in one handler.
    BatchProcess,
    /// Publishing a message that carries a context already.
    ExistingContext,
    /// Asking for one message.
    Pull,
    /// Giving a message back, to be delivered again.
    Redeliver,
    /// Sending a consumed message on with its creation context.
    Republish,
    /// Keeping messages while the broker restarts.
    Restart,
    /// Handing on a handler's error in its own type, which names it on the span.
    TypedErrors,
}

/// What becomes of a message after its handler, whatever the handler returned. One whose handler panicked or was dropped is not settled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settle {
    /// It is done with.
    Done,
    /// It goes back, to be delivered again.
    Again,
}

/// A payload and the transport's own properties and headers of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived<N> {
    /// The bytes that the handler saw.
    pub payload: Vec<u8>,
    /// Everything else, in the client's own type.
    pub native: N,
}

/// A message to publish: payload and properties.
pub type Payload<N> = (Vec<u8>, N);

/// The names of the spans of a transport's one destination.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Of a message that is sent.
    pub publish: String,
    /// Of a message of a batch.
    pub create: String,
    /// Of a message that is processed.
    pub process: String,
    /// The attribute `messaging.destination.name` of the publish span.
    pub published_to: String,
    /// The attribute `messaging.destination.name` of the process span.
    pub consumed_from: String,
}

/// An adapter on a connection to its real broker, with one destination of its own (a queue, a topic) that exists.
///
/// Its futures are `Send`, so that every case also proves that the adapter's futures can be spawned.
pub trait Transport: Clone + Debug + Send + Sync + 'static {
    /// The adapter.
    const NAME: &'static str;
    /// `messaging.system`.
    const SYSTEM: &'static str;
    /// What it cannot do, and why.
    const LACKS: &'static [(Ability, &'static str)];

    /// The client's type for properties and headers.
    type Native: Clone + Debug + PartialEq + Send + Sync + 'static;
    /// The adapter's producer.
    type Producer: Clone + Send + Sync + 'static;
    /// The adapter's consumer, in a loop.
    type Consumer: Send + Sync + 'static;
    /// A message of the adapter's.
    type Delivery: Send + 'static;

    /// Connects to the broker that the tests share, with a destination of its own.
    fn shared() -> impl Future<Output = Result<Self>> + Send;
    /// The same on a broker that nobody else uses.
    fn own() -> impl Future<Output = Result<Self>> + Send;
    /// Another connection to the same broker and destination.
    fn reconnect(&self) -> impl Future<Output = Result<Self>> + Send;
    /// Restarts the broker; what it keeps on disk stays.
    fn restart(&self) -> impl Future<Output = Result<()>> + Send {
        async { bail!("{} cannot restart", Self::NAME) }
    }
    /// The broker in one line.
    fn describe(&self) -> String;
    /// The environment variable and the value by which another process finds the broker.
    fn address(&self) -> (&'static str, String);
    /// The names of this destination's spans.
    fn spans(&self) -> Spans;
    /// The group that consumes, where the client's calls say it.
    fn consumer_group(&self) -> Option<String> {
        None
    }

    /// Properties without anything in particular, of a message that survives a restart.
    fn plain() -> Self::Native;
    /// Properties and headers of every kind that the transport has.
    fn rich() -> Self::Native;
    /// Adds text headers as this adapter writes them.
    fn with_headers(native: Self::Native, headers: &[(&str, &str)]) -> Self::Native;
    /// The forms in which other languages and clients write text headers, each with its name.
    fn foreign(headers: &[(&str, &str)]) -> Vec<(&'static str, Self::Native)>;
    /// Contexts that nobody can read, each with its name.
    fn malformed() -> Vec<(&'static str, Self::Native)>;
    /// Contexts that contradict each other, where a message can hold a header more than once, each with its name.
    #[must_use]
    fn conflicting() -> Vec<(&'static str, Self::Native)> {
        Vec::new()
    }
    /// The values of all headers of this name, whatever its case.
    fn header(native: &Self::Native, name: &str) -> Vec<String>;
    /// Everything but the headers of these names.
    fn without(native: &Self::Native, names: &[&str]) -> Self::Native;

    /// The adapter's producer.
    fn producer(&self, settings: &Settings) -> Self::Producer;
    /// Publishes through the adapter and waits for the broker's answer.
    fn publish(
        &self,
        producer: &Self::Producer,
        payload: &[u8],
        native: Self::Native,
    ) -> impl Future<Output = Result<()>> + Send;
    /// Publishes many in one call.
    fn publish_batch(
        &self,
        _producer: &Self::Producer,
        _messages: Vec<Payload<Self::Native>>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { bail!("{} cannot publish batches", Self::NAME) }
    }
    /// Publishes through the bare client, without any instrumentation.
    fn publish_bare(&self, payload: &[u8], native: Self::Native) -> impl Future<Output = Result<()>> + Send;

    /// The adapter's consumer; the current span is the one of the loop around it.
    fn consumer(&self, settings: &Settings) -> impl Future<Output = Result<Self::Consumer>> + Send;
    /// The next message; an error also where the stream has ended.
    fn next(consumer: &mut Self::Consumer) -> impl Future<Output = Result<Self::Delivery>> + Send;
    /// Ends a consumer: from then on the destination's messages go to the next one.
    fn close(&self, consumer: Self::Consumer) -> impl Future<Output = Result<()>> + Send;
    /// Asks for one message, which is there.
    fn pull(&self, _settings: &Settings) -> impl Future<Output = Result<Self::Delivery>> + Send {
        async { bail!("{} cannot pull", Self::NAME) }
    }
    /// Runs the handler through the adapter's `process`, and settles the message inside it.
    fn process<H, F, R, E>(
        delivery: Self::Delivery,
        settle: Settle,
        handler: H,
    ) -> impl Future<Output = Result<R, E>> + Send
    where
        H: FnOnce(Arrived<Self::Native>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Send + 'static;
    /// Runs the handler through the adapter's batch processing, and settles the messages inside it.
    fn process_batch<H, F, R, E>(
        _consumer: &Self::Consumer,
        _deliveries: Vec<Self::Delivery>,
        _handler: H,
    ) -> impl Future<Output = Result<R>> + Send
    where
        H: FnOnce(Vec<Arrived<Self::Native>>) -> F + Send + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Display + Debug + Send + Sync + 'static,
    {
        async { bail!("{} cannot process batches", Self::NAME) }
    }
    /// Sends a message on to its own destination through the adapter's republish, inside its handler.
    fn republish(
        &self,
        _producer: &Self::Producer,
        _delivery: Self::Delivery,
    ) -> impl Future<Output = Result<()>> + Send {
        async { bail!("{} cannot republish", Self::NAME) }
    }

    /// Why it cannot do this; `None` if it can.
    #[must_use]
    fn lacks(ability: Ability) -> Option<&'static str> {
        Self::LACKS.iter().find(|(lacking, _)| *lacking == ability).map(|(_, why)| *why)
    }
}
