use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    TraceId,
    trace::{SpanContext, SpanKind},
};

use super::{
    forest::Forest,
    notes::{is_sender, links, notes, sender, sent_at},
    span::CapturedSpan,
    tree::Tree,
};

/// One trace, ready to be drawn: as text or as SVG.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    pub(super) trace_id: TraceId,
    pub(super) duration: Duration,
    pub(super) rows: Vec<Row<'a>>,
    services: usize,
    hops: usize,
    broken: usize,
}

/// One span; positions are fractions of the trace's duration.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) span: &'a CapturedSpan,
    /// The branches of the tree before the name.
    pub(super) prefix: String,
    pub(super) depth: usize,
    pub(super) start: f64,
    pub(super) end: f64,
    /// Where the message was handed to the broker, and by whom, when both spans are in this trace.
    pub(super) sent: Option<(f64, &'a CapturedSpan)>,
    pub(super) notes: Vec<String>,
    /// Links that the tree does not show: all but the one to the parent.
    pub(super) links: Vec<(SpanContext, String)>,
}

impl<'a> Timeline<'a> {
    pub(super) fn all(forest: &'a Forest) -> Vec<Self> {
        forest.trace_ids().into_iter().map(|id| Self::new(forest, id)).collect()
    }

    fn new(forest: &'a Forest, trace_id: TraceId) -> Self {
        let spans: Vec<_> = forest.spans().iter().filter(|span| span.trace_id() == trace_id).collect();
        let start = spans.iter().map(|span| span.start()).min().unwrap_or(SystemTime::UNIX_EPOCH);
        let end = spans.iter().map(|span| span.end().max(span.start())).max().unwrap_or(start);
        let duration = end.duration_since(start).unwrap_or_default();
        let mut rows = Vec::new();
        let scale = Scale { start, seconds: duration.as_secs_f64() };
        for root in forest.roots().filter(|tree| tree.span().trace_id() == trace_id) {
            push_rows(root, "", "", 0, scale, &mut rows);
        }
        let hops = spans.iter().filter(|span| span.kind() == SpanKind::Consumer).map(|span| Hops::of(span, forest));
        let (hops, broken) = hops.fold((0, 0), |sum, hop| (sum.0 + hop.whole + hop.broken, sum.1 + hop.broken));
        let services = spans.iter().map(|span| span.service()).collect::<HashSet<_>>().len();
        Self { trace_id, duration, rows, services, hops, broken }
    }

    /// `3 services, 5 broker hops, 0 broken`.
    pub(super) fn counts(&self) -> String {
        let plural = |count, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        format!("{}, {}, {} broken", plural(self.services, "service"), plural(self.hops, "broker hop"), self.broken)
    }
}

/// How many messages a consumer span took from brokers with their senders known, and whether a
/// sender is unknown.
struct Hops {
    whole: usize,
    broken: usize,
}

impl Hops {
    fn of(span: &CapturedSpan, forest: &Forest) -> Self {
        let mut senders = HashSet::new();
        senders.extend(forest.parent(span).filter(|parent| is_sender(parent)).map(CapturedSpan::span_id));
        senders
            .extend(span.links().iter().filter_map(|link| forest.find(&link.span_context)).map(CapturedSpan::span_id));
        Self { whole: senders.len(), broken: usize::from(senders.is_empty()) }
    }
}

#[derive(Clone, Copy)]
struct Scale {
    start: SystemTime,
    seconds: f64,
}

impl Scale {
    fn fraction(self, at: SystemTime) -> f64 {
        let seconds = at.duration_since(self.start).unwrap_or_default().as_secs_f64();
        // All spans of a trace can have the same time.
        if self.seconds > 0.0 { (seconds / self.seconds).clamp(0.0, 1.0) } else { 0.0 }
    }
}

fn push_rows<'a>(tree: Tree<'a>, branch: &str, below: &str, depth: usize, scale: Scale, rows: &mut Vec<Row<'a>>) {
    let span = tree.span();
    let sender = sender(tree);
    let sent = sender.map(|sender| (sent_at(sender, span), sender));
    let in_this_trace = |&(_, sender): &(_, &CapturedSpan)| sender.trace_id() == span.trace_id();
    rows.push(Row {
        span,
        prefix: branch.to_owned(),
        depth,
        start: scale.fraction(span.start()),
        end: scale.fraction(span.end().max(span.start())),
        sent: sent.filter(in_this_trace).map(|(at, sender)| (scale.fraction(at), sender)),
        notes: notes(tree, sent.map(|(at, _)| at)),
        links: links(tree),
    });
    let mut children = tree.children().peekable();
    while let Some(child) = children.next() {
        let (branch, next) = if children.peek().is_some() { ("├─ ", "│  ") } else { ("└─ ", "   ") };
        push_rows(child, &format!("{below}{branch}"), &format!("{below}{next}"), depth + 1, scale, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, TRACE, span},
        *,
    };

    fn sent(times: [u64; 2]) -> Synthetic {
        span(1, 0, "shop", "publish", times).kind(SpanKind::Producer)
    }

    fn processed(times: [u64; 2]) -> Synthetic {
        span(2, 1, "depot", "process", times).kind(SpanKind::Consumer).link(TRACE, 1)
    }

    fn forest(spans: impl IntoIterator<Item = Synthetic>) -> Forest {
        Forest::new(spans.into_iter().map(Synthetic::build))
    }

    #[test]
    fn hops_are_counted_and_the_broken_ones_too() {
        let counts =
            |spans: Vec<Synthetic>| Timeline::all(&forest(spans)).iter().map(Timeline::counts).collect::<Vec<_>>();
        assert_eq!(counts(vec![sent([0, 1]), processed([2, 3])]), ["2 services, 1 broker hop, 0 broken"]);
        assert_eq!(counts(vec![processed([2, 3])]), ["1 service, 1 broker hop, 1 broken"]);
        let batch =
            span(3, 0, "depot", "process", [2, 3]).trace(8).kind(SpanKind::Consumer).link(TRACE, 1).link(TRACE, 4);
        let other = span(4, 0, "shop", "publish", [0, 1]).kind(SpanKind::Producer);
        assert_eq!(
            counts(vec![sent([0, 1]), other, batch]),
            ["1 service, 0 broker hops, 0 broken", "1 service, 2 broker hops, 0 broken"]
        );
    }

    #[test]
    fn a_trace_without_any_time_has_its_rows_at_the_start() {
        let forest = forest([sent([7, 7]), processed([7, 7])]);
        let timelines = Timeline::all(&forest);
        assert!(timelines[0].rows.iter().all(|row| (row.start, row.end) == (0.0, 0.0)));
    }
}
