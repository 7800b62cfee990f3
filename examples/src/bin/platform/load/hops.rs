//! What many spans say about each hop.

use std::{collections::BTreeMap, time::Duration};

use traced_envelope::testing::{CapturedSpan, Forest};
use traced_rabbitmq::opentelemetry::trace::SpanKind;

use super::latencies::Latencies;

/// A service and the name of its spans.
pub(super) type Hop = (String, String);

#[derive(Debug, Default)]
pub(super) struct Hops {
    /// How long spans took; those of each service in the order of their names.
    pub(super) spans: BTreeMap<Hop, Latencies>,
    /// How long messages waited, from the moment at which the broker had them to that at which they were processed.
    pub(super) waits: BTreeMap<Hop, Latencies>,
    /// How many spans are errors, by `error.type`, or their description where they have none.
    pub(super) errors: BTreeMap<(Hop, String), usize>,
}

impl Hops {
    pub(super) fn of(forest: &Forest) -> Self {
        let mut hops = Self::default();
        for span in forest.spans() {
            let hop = (span.service().to_owned(), span.name().to_owned());
            if span.is_error() {
                *hops.errors.entry((hop.clone(), error(span))).or_default() += 1;
            }
            if span.kind() == SpanKind::Consumer {
                let waits = hops.waits.entry(hop.clone()).or_default();
                senders(forest, span).for_each(|sender| waits.add(wait(sender, span)));
            }
            hops.spans.entry(hop).or_default().add(span.duration());
        }
        hops
    }
}

/// Those whose messages a span processes: its parent, and, of a batch, the links.
fn senders<'a>(forest: &'a Forest, span: &'a CapturedSpan) -> impl Iterator<Item = &'a CapturedSpan> {
    let parent = forest.parent(span);
    let linked = span.links().iter().filter_map(|link| forest.find(&link.span_context));
    // By default the parent is linked, too.
    let linked = linked.filter(move |sender| Some(sender.span_id()) != parent.map(CapturedSpan::span_id));
    parent.into_iter().chain(linked).filter(|sender| matches!(sender.kind(), SpanKind::Producer | SpanKind::Client))
}

/// The broker may deliver before its confirmation is back at the producer.
fn wait(sender: &CapturedSpan, receiver: &CapturedSpan) -> Duration {
    let sent = if sender.end() <= receiver.start() { sender.end() } else { sender.start() };
    receiver.start().duration_since(sent).unwrap_or_default()
}

fn error(span: &CapturedSpan) -> String {
    use traced_rabbitmq::opentelemetry::trace::Status;

    match (span.attribute("error.type"), span.status()) {
        (Some(kind), _) => kind.as_str().into_owned(),
        (None, Status::Error { description }) => description.to_string(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use traced_envelope::testing::Capture;
    use traced_rabbitmq::opentelemetry::{
        Context, KeyValue,
        trace::{Link, Span as _, Status, TraceContextExt as _, Tracer as _},
    };

    use super::*;

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn hops_waits_and_errors_are_counted_by_service_and_name() {
        let capture = Capture::new();
        let (shop, worker) = (capture.tracer("shop"), capture.tracer("worker"));
        let mut sent = Vec::new();
        for start in [0, 10] {
            let publish = shop.span_builder("publish orders").with_kind(SpanKind::Producer).with_start_time(at(start));
            let mut publish = publish.start(&shop);
            sent.push(publish.span_context().clone());
            publish.end_with_timestamp(at(start + 2));
        }
        // The first alone, then both in a batch, which fails.
        let parent = Context::new().with_remote_span_context(sent[0].clone());
        let single = worker.span_builder("process orders").with_kind(SpanKind::Consumer).with_start_time(at(5));
        single.start_with_context(&worker, &parent).end_with_timestamp(at(6));
        let links = sent.iter().map(|context| Link::with_context(context.clone())).collect();
        let batch = worker.span_builder("process orders").with_kind(SpanKind::Consumer).with_links(links);
        let mut batch = batch.with_start_time(at(11)).start(&worker);
        batch.set_attribute(KeyValue::new("error.type", "out_of_stock"));
        batch.set_status(Status::error("no more beans"));
        batch.end_with_timestamp(at(21));

        let hops = Hops::of(&capture.forest());
        let hop = |service: &str, name: &str| (service.to_owned(), name.to_owned());
        let process = hop("worker", "process orders");
        assert_eq!(hops.spans[&hop("shop", "publish orders")].to_string(), "      2.0       2.0       2.0");
        assert_eq!(hops.spans[&process].to_string(), "      1.0      10.0      10.0");
        // 3 ms, 9 ms, and 1 ms after the second one's start, since it had not ended yet.
        assert_eq!(hops.waits[&process].len(), 3);
        assert_eq!(hops.waits[&process].to_string(), "      3.0       9.0       9.0");
        assert_eq!(hops.errors.into_iter().collect::<Vec<_>>(), [((process, "out_of_stock".to_owned()), 1)]);
    }
}
