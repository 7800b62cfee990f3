//! Sending many records with one send span.

use crate::future_producer::{QueueTimeout, delivered, outgoing, owned, without_headers};
use crate::in_flight::GivenHeaders;
use crate::{HeaderExtractor, HeaderInjector, TracedProducer, destination, error};
use opentelemetry::trace::SpanContext;
use rdkafka::client::ClientContext;
use rdkafka::message::ToBytes;
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::{AsyncRuntime, Timeout};
use traced_envelope::{MessageSpan, Operation, Outcome, shared};

/// A record of a batch, its headers as they were given, and whether the send span's own context is to be written to it.
struct Entry<'a, K: ToBytes + ?Sized, P: ToBytes + ?Sized> {
    record: FutureRecord<'a, K, P>,
    given: GivenHeaders,
    shares: bool,
}

impl<C, R> TracedProducer<FutureProducer<C, R>>
where
    C: ClientContext + 'static,
    R: AsyncRuntime,
{
    /// Sends records in their order: a create span for each, whose context it carries, and one send span that links them and ends with
    /// the last delivery report. [`Settings::create_spans`](traced_envelope::Settings::create_spans) switches the create spans off; the
    /// records then carry the send span's context.
    ///
    /// The result has the deliveries in the records' order. `queue_timeout` is for all of them together: while the producer's queue is
    /// full it is tried again for as long, and after that each of the rest is tried once.
    ///
    /// ```no_run
    /// use rdkafka::producer::FutureRecord;
    /// use rdkafka::util::Timeout;
    /// use traced_kafka::TracedProducer;
    ///
    /// # async fn example(producer: TracedProducer) {
    /// let orders = ["1", "2"].map(|order| FutureRecord::to("orders").key(order).payload("{}"));
    /// let deliveries = producer.send_batch(orders, Timeout::Never).await;
    /// assert!(deliveries.iter().all(Result::is_ok));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Each delivery has its own, as with [`send`](Self::send), and its record comes back as it was given; the send span has the first. The
    /// counter of sent messages counts those that failed with it, and the others without. A batch of no records has no span.
    ///
    /// # Cancel safety
    ///
    /// Dropped while records are queued, some of them are sent, and the span ends as `cancelled`; dropped while only delivery reports
    /// are missing, it ends without an error.
    pub async fn send_batch<'a, K, P, T>(
        &self,
        records: impl IntoIterator<Item = FutureRecord<'a, K, P>>,
        queue_timeout: T,
    ) -> Vec<OwnedDeliveryResult>
    where
        K: ToBytes + ?Sized + 'a,
        P: ToBytes + ?Sized + 'a,
        T: Into<Timeout>,
    {
        let timeout = QueueTimeout::start(queue_timeout.into());
        let (entries, mut span) = self.start_batch(records);
        let mut queued = Vec::with_capacity(entries.len());
        let mut good = 0;
        span.set_messages(0, 0);
        for Entry { record, given, .. } in entries {
            let sent = without_headers(&record);
            queued.push((self.queue_until(record, &timeout).await.inspect(|_| good += 1), sent, given));
            span.set_messages(good, queued.len() - good);
        }
        span.handed_over();
        let mut deliveries = Vec::with_capacity(queued.len());
        for (queued, sent, given) in queued {
            deliveries.push(match queued {
                Ok(delivery) => delivered(delivery, sent, given).await,
                Err((error, mut record)) => {
                    given.give_back(&mut record.headers);
                    Err((error, owned(record)))
                }
            });
        }
        let good = deliveries.iter().filter(|delivery| delivery.is_ok()).count();
        span.set_messages(good, deliveries.len() - good);
        let failed = deliveries.iter().find_map(|delivery| delivery.as_ref().err());
        span.end(failed.map_or(Outcome::Ok, |(error, _)| error::of_error(error)));
        deliveries
    }

    fn start_batch<'a, K, P>(
        &self,
        records: impl IntoIterator<Item = FutureRecord<'a, K, P>>,
    ) -> (Vec<Entry<'a, K, P>>, MessageSpan)
    where
        K: ToBytes + ?Sized + 'a,
        P: ToBytes + ?Sized + 'a,
    {
        let entry = |record| Entry { record, given: GivenHeaders::Untouched, shares: false };
        let mut entries: Vec<_> = records.into_iter().map(entry).collect();
        if !self.is_on() {
            return (entries, MessageSpan::off());
        }
        let mut linked = self.create_each(&mut entries);
        let transaction = self.transaction.around();
        let _parent = transaction.parent();
        linked.extend(transaction.linked().cloned());
        let topic = shared(entries.iter().map(|entry| entry.record.topic));
        let destination = self.telemetry().prepare("send", topic.map(destination::of_topic).unwrap_or_default());
        let span = self.telemetry().send_batch(Operation::new("send", &destination).batch(entries.len()), linked);
        for Entry { record, given, shares } in &mut entries {
            if *shares {
                let mut copy = record.headers.clone();
                span.inject(&mut HeaderInjector(&mut copy));
                *given = GivenHeaders::Kept(std::mem::replace(&mut record.headers, copy));
            }
        }
        (entries, span)
    }

    /// What the send span links: each record's creation context, or where create spans are switched off the one that is replaced.
    fn create_each<K, P>(&self, entries: &mut [Entry<'_, K, P>]) -> Vec<SpanContext>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let telemetry = self.telemetry();
        let mut linked = Vec::with_capacity(entries.len() + 1);
        for Entry { record, given, shares } in entries {
            let headers = record.headers.as_ref();
            let existing =
                headers.map(|headers| telemetry.existing(&HeaderExtractor(headers.as_borrowed()))).unwrap_or_default();
            if let Some(kept) = telemetry.kept(&existing) {
                linked.push(kept);
            } else if telemetry.makes_create_spans() {
                let destination = self.prepared("create", record.topic);
                let operation = Operation::new("create", &destination);
                let start =
                    |operation: Operation<'_>, headers: &mut HeaderInjector<'_>| telemetry.create(operation, headers);
                let (created, as_given) = self.inject(operation, outgoing(record), &mut record.headers, start);
                *given = as_given;
                linked.extend(created.span.span_context());
                created.span.end(Outcome::Ok);
            } else {
                *shares = true;
                linked.extend(existing.span_context().cloned());
            }
        }
        linked
    }
}
