//! An order on its way, as its spans tell.

use std::{collections::HashSet, time::Duration};

use test_collector::Collector;
use tokio::time::sleep;
use traced_envelope::testing::{CapturedSpan, Forest};
use traced_rabbitmq::opentelemetry::{SpanId, TraceId, trace::SpanKind};

const POLL: Duration = Duration::from_millis(20);

pub(super) struct Progress {
    trace_id: TraceId,
    ends: &'static [&'static str],
    told: HashSet<SpanId>,
}

impl Progress {
    pub(super) fn of(trace_id: TraceId, ends: &'static [&'static str]) -> Self {
        Self { trace_id, ends, told: HashSet::new() }
    }

    /// Tells of each message that was processed, until the order has come to its ends.
    pub(super) async fn follow(&mut self, collector: &Collector) {
        loop {
            let spans = self.spans(collector);
            let mut processed: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Consumer).collect();
            processed.sort_by_key(|span| span.end());
            for span in processed {
                if self.told.insert(span.span_id()) {
                    println!("demo:   {}: {}{}", span.service(), span.name(), if span.is_error() { " ✗" } else { "" });
                }
            }
            if self.ends.iter().all(|end| spans.iter().any(|span| span.name() == *end)) {
                return;
            }
            sleep(POLL).await;
        }
    }

    pub(super) fn so_far(&self, collector: &Collector) -> Forest {
        Forest::new(self.spans(collector))
    }

    fn spans(&self, collector: &Collector) -> Vec<CapturedSpan> {
        let of_order = |span: &&CapturedSpan| span.trace_id() == self.trace_id;
        collector.inspect(|received| received.spans().iter().filter(of_order).cloned().collect())
    }
}
