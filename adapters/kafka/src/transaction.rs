//! Transactions: one span from begin to commit or abort.

use crate::{TracedProducer, error};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, ContextGuard};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{Partitioner, Producer, ProducerContext};
use rdkafka::util::Timeout;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use traced_envelope::{MessageSpan, Operation, Outcome, Telemetry};

impl<N> TracedProducer<N> {
    /// [`Producer::init_transactions`]; it has no span.
    ///
    /// # Errors
    ///
    /// rdkafka's own, as with all functions of transactions. Like rdkafka's, they block: call them where that is allowed, such as in
    /// tokio's `spawn_blocking`.
    pub fn init_transactions<C, Part>(&self, timeout: impl Into<Timeout>) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        self.producer.init_transactions(timeout)
    }

    /// [`Producer::begin_transaction`]: starts the span `transaction`, which lasts until [`commit_transaction`](Self::commit_transaction)
    /// or [`abort_transaction`](Self::abort_transaction) succeeds; dropped with the last clone of this producer before that, it ends as
    /// `cancelled`.
    ///
    /// The spans of records that are sent meanwhile are its children where the current span is still that of the begin; inside another
    /// span, such as that of a message that is processed, they are children of that one and link the transaction.
    ///
    /// ```no_run
    /// use rdkafka::producer::FutureRecord;
    /// use rdkafka::util::Timeout;
    /// use std::time::Duration;
    /// use traced_kafka::TracedProducer;
    ///
    /// # async fn example(producer: TracedProducer) -> rdkafka::error::KafkaResult<()> {
    /// producer.init_transactions(Duration::from_secs(10))?;
    /// producer.begin_transaction()?;
    /// match producer.send(FutureRecord::to("orders").key("42").payload("{}"), Timeout::Never).await {
    ///     Ok(_) => producer.commit_transaction(Duration::from_secs(10))?,
    ///     Err(_) => producer.abort_transaction(Duration::from_secs(10))?,
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// rdkafka's own; the span ends with it.
    pub fn begin_transaction<C, Part>(&self) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        self.transaction.begin(self.telemetry(), || self.producer.begin_transaction())
    }

    /// [`Producer::send_offsets_to_transaction`], within the transaction's span.
    ///
    /// # Errors
    ///
    /// rdkafka's own; an abort after it has it as `error.type`.
    pub fn send_offsets_to_transaction<C, Part>(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        timeout: impl Into<Timeout>,
    ) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        let sent = self.producer.send_offsets_to_transaction(offsets, group, timeout);
        self.transaction.note(&sent);
        sent
    }

    /// [`Producer::commit_transaction`]: the transaction's span ends.
    ///
    /// # Errors
    ///
    /// rdkafka's own. The span goes on, because the transaction does: commit again, or abort. Only a fatal error ends it.
    pub fn commit_transaction<C, Part>(&self, timeout: impl Into<Timeout>) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        let committed = self.producer.commit_transaction(timeout);
        self.transaction.note(&committed);
        if committed.is_ok() {
            self.transaction.end(|_| Outcome::Ok);
        }
        committed
    }

    /// [`Producer::abort_transaction`]: the transaction's span ends with an error, since nothing of it was delivered. `error.type` is
    /// that of the commit or the offsets that failed before, else `aborted`.
    ///
    /// # Errors
    ///
    /// rdkafka's own. The span goes on, because the transaction does, unless the error is fatal.
    pub fn abort_transaction<C, Part>(&self, timeout: impl Into<Timeout>) -> KafkaResult<()>
    where
        N: Producer<C, Part>,
        C: ProducerContext<Part>,
        Part: Partitioner,
    {
        let aborted = self.producer.abort_transaction(timeout);
        if aborted.is_ok() {
            self.transaction.end(|failure| {
                failure.unwrap_or_else(|| Outcome::error("aborted", "the application aborted the transaction"))
            });
        } else {
            self.transaction.note(&aborted);
        }
        aborted
    }
}

/// The transaction of a producer, if one is open.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Spares producers without transactions the lock.
    is_open: AtomicBool,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    span: MessageSpan,
    /// The span that was current at the begin.
    begun_in: SpanContext,
    /// What failed last.
    failure: Option<Outcome>,
}

impl Transaction {
    fn begin(&self, telemetry: &Telemetry, begin: impl FnOnce() -> KafkaResult<()>) -> KafkaResult<()> {
        let span = telemetry.transaction(Operation::new("transaction", ""));
        let begun = begin();
        if begun.is_ok() {
            let open = Open { span, begun_in: current_span(), failure: None };
            let before = self.lock().replace(open);
            self.is_open.store(true, Ordering::Release);
            // One that was ended behind our back, by the producer inside.
            drop(before);
        } else {
            span.end(error::of_result(&begun));
        }
        begun
    }

    /// Remembers a failure; after a fatal one librdkafka neither commits nor aborts any more.
    fn note(&self, result: &KafkaResult<()>) {
        let Err(error) = result else { return };
        let failure = error::of_error(error);
        if matches!(error, KafkaError::Transaction(error) if error.is_fatal()) {
            self.end(|_| failure);
        } else if let Some(open) = &mut *self.lock() {
            open.failure = Some(failure);
        }
    }

    fn end(&self, outcome: impl FnOnce(Option<Outcome>) -> Outcome) {
        let open = self.lock().take();
        self.is_open.store(false, Ordering::Release);
        if let Some(Open { span, failure, .. }) = open {
            span.end(outcome(failure));
        }
    }

    /// What a record that is sent now has to do with it.
    pub(crate) fn around(&self) -> Around {
        if !self.is_open.load(Ordering::Acquire) {
            return Around::Nothing;
        }
        let open = self.lock();
        let Some((open, span)) = open.as_ref().and_then(|open| Some((open, open.span.span_context()?))) else {
            return Around::Nothing;
        };
        let current = current_span();
        if current == open.begun_in || !current.is_valid() { Around::Parent(span) } else { Around::Linked(span) }
    }

    /// A panic elsewhere leaves what is inside whole.
    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current_span() -> SpanContext {
    Context::map_current(|context| context.span().span_context().clone())
}

/// How a record that is sent relates to the transaction.
#[derive(Debug)]
pub(crate) enum Around {
    Nothing,
    Parent(SpanContext),
    Linked(SpanContext),
}

impl Around {
    /// Makes the transaction's span the current one, where it is to be the parent; everything else of the context stays.
    pub(crate) fn parent(&self) -> Option<ContextGuard> {
        match self {
            Self::Parent(span) => Some(Context::current().with_remote_span_context(span.clone()).attach()),
            Self::Nothing | Self::Linked(_) => None,
        }
    }

    pub(crate) fn linked(&self) -> Option<&SpanContext> {
        match self {
            Self::Linked(span) => Some(span),
            Self::Nothing | Self::Parent(_) => None,
        }
    }
}
