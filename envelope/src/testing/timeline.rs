use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    TraceId, Value,
    trace::{SpanContext, SpanKind, Status},
};

use super::{
    forest::{Forest, Tree},
    outline::{UnknownParent, one_line},
    span::CapturedSpan,
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
        forest
            .trace_ids()
            .into_iter()
            .map(|id| Self::new(forest, id))
            .collect()
    }

    fn new(forest: &'a Forest, trace_id: TraceId) -> Self {
        let spans: Vec<_> = forest
            .spans()
            .iter()
            .filter(|span| span.trace_id() == trace_id)
            .collect();
        let start = spans
            .iter()
            .map(|span| span.start())
            .min()
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let end = spans
            .iter()
            .map(|span| span.end().max(span.start()))
            .max()
            .unwrap_or(start);
        let duration = end.duration_since(start).unwrap_or_default();
        let mut rows = Vec::new();
        let scale = Scale {
            start,
            seconds: duration.as_secs_f64(),
        };
        for root in forest
            .roots()
            .filter(|tree| tree.span().trace_id() == trace_id)
        {
            push_rows(root, "", "", 0, scale, &mut rows);
        }
        let hops = spans
            .iter()
            .filter(|span| span.kind() == SpanKind::Consumer)
            .map(|span| Hops::of(span, forest));
        let (hops, broken) = hops.fold((0, 0), |sum, hop| {
            (sum.0 + hop.whole + hop.broken, sum.1 + hop.broken)
        });
        let services = spans
            .iter()
            .map(|span| span.service())
            .collect::<HashSet<_>>()
            .len();
        Self {
            trace_id,
            duration,
            rows,
            services,
            hops,
            broken,
        }
    }

    /// `3 services, 5 broker hops, 0 broken`.
    pub(super) fn counts(&self) -> String {
        let plural = |count, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}, {}, {} broken",
            plural(self.services, "service"),
            plural(self.hops, "broker hop"),
            self.broken
        )
    }
}

/// How many messages a consumer span took from brokers with their senders known, and whether a sender is unknown.
struct Hops {
    whole: usize,
    broken: usize,
}

impl Hops {
    fn of(span: &CapturedSpan, forest: &Forest) -> Self {
        let mut senders = HashSet::new();
        senders.extend(
            forest
                .parent(span)
                .filter(|parent| is_sender(parent))
                .map(CapturedSpan::span_id),
        );
        senders.extend(
            span.links()
                .iter()
                .filter_map(|link| forest.find(&link.span_context))
                .map(CapturedSpan::span_id),
        );
        Self {
            whole: senders.len(),
            broken: usize::from(senders.is_empty()),
        }
    }
}

fn is_sender(span: &CapturedSpan) -> bool {
    matches!(span.kind(), SpanKind::Producer | SpanKind::Client)
}

#[derive(Clone, Copy)]
struct Scale {
    start: SystemTime,
    seconds: f64,
}

impl Scale {
    fn fraction(self, at: SystemTime) -> f64 {
        let seconds = at
            .duration_since(self.start)
            .unwrap_or_default()
            .as_secs_f64();
        // All spans of a trace can have the same time.
        if self.seconds > 0.0 {
            (seconds / self.seconds).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

fn push_rows<'a>(
    tree: Tree<'a>,
    branch: &str,
    below: &str,
    depth: usize,
    scale: Scale,
    rows: &mut Vec<Row<'a>>,
) {
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
        sent: sent
            .filter(in_this_trace)
            .map(|(at, sender)| (scale.fraction(at), sender)),
        notes: notes(tree, sent.map(|(at, _)| at)),
        links: links(tree),
    });
    let mut children = tree.children().peekable();
    while let Some(child) = children.next() {
        let (branch, next) = if children.peek().is_some() {
            ("├─ ", "│  ")
        } else {
            ("└─ ", "   ")
        };
        push_rows(
            child,
            &format!("{below}{branch}"),
            &format!("{below}{next}"),
            depth + 1,
            scale,
            rows,
        );
    }
}

/// Who sent the one message that a consumer span is about.
fn sender<'a>(tree: Tree<'a>) -> Option<&'a CapturedSpan> {
    let (span, forest) = (tree.span(), tree.forest());
    if span.kind() != SpanKind::Consumer {
        return None;
    }
    let linked = || match span.links() {
        [link] => forest.find(&link.span_context),
        // A batch: each message waited for another time.
        _ => None,
    };
    forest
        .parent(span)
        .filter(|parent| is_sender(parent))
        .or_else(linked)
}

/// When the broker had the message: it may deliver before its confirmation is back at the producer.
fn sent_at(sender: &CapturedSpan, receiver: &CapturedSpan) -> SystemTime {
    if sender.end() <= receiver.start() {
        sender.end()
    } else {
        sender.start()
    }
}

fn notes(tree: Tree<'_>, sent: Option<SystemTime>) -> Vec<String> {
    let span = tree.span();
    let mut notes = Vec::new();
    if let Status::Error { description } = span.status() {
        let kind = span
            .attribute("error.type")
            .map(|kind| kind.as_str().into_owned());
        let text = if description.is_empty() {
            kind.unwrap_or("error".to_owned())
        } else {
            description.to_string()
        };
        notes.push(one_line(&text));
    }
    let attempt = span.attribute("traced.message.attempt");
    notes.extend(attempt.map(|attempt| format!("attempt {attempt}")));
    // A repeated message has not waited all the time: it was being processed before. Negative times are clocks that
    // differ, which the next note tells.
    let is_first = attempt.is_none_or(|attempt| *attempt == Value::I64(1));
    let wait = sent
        .filter(|_| is_first)
        .and_then(|sent| span.start().duration_since(sent).ok());
    notes.extend(wait.map(|wait| format!("waited {}", short(wait))));
    if let Some(Err(early)) = tree
        .forest()
        .parent(span)
        .map(|parent| span.start().duration_since(parent.start()))
    {
        notes.push(format!(
            "starts {} before its parent",
            short(early.duration())
        ));
    }
    notes.extend(UnknownParent::of(tree).map(|parent| format!("⇠ {}", parent.text())));
    notes
}

fn links(tree: Tree<'_>) -> Vec<(SpanContext, String)> {
    let span = tree.span();
    let text = |link: &SpanContext| {
        let name = tree
            .forest()
            .find(link)
            .map_or("a span that was not captured".to_owned(), |linked| {
                one_line(linked.name())
            });
        if link.trace_id() == span.trace_id() {
            return format!("links {name}");
        }
        let id = link.trace_id().to_string();
        format!("links {name} (trace {}…)", id.get(..8).unwrap_or(&id))
    };
    let shown = span
        .links()
        .iter()
        .map(|link| &link.span_context)
        .filter(|link| !span.is_link_to_parent(link));
    shown.map(|link| (link.clone(), text(link))).collect()
}

/// A duration for people: three or four digits and a unit.
pub(super) fn short(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 999.5 {
        format!("{micros:.0} µs")
    } else if micros < 999_950.0 {
        format!("{:.1} ms", micros / 1e3)
    } else if micros < 59_995_000.0 {
        format!("{:.2} s", micros / 1e6)
    } else {
        let seconds = (micros / 1e6).round() as u64;
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

/// At most `width` characters, the last of them `…` when there were more.
pub(super) fn truncated(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::{
        super::synthetic::{Synthetic, TRACE, span},
        *,
    };

    fn sent(times: [u64; 2]) -> Synthetic {
        span(1, 0, "shop", "publish", times).kind(SpanKind::Producer)
    }

    fn processed(times: [u64; 2]) -> Synthetic {
        span(2, 1, "depot", "process", times)
            .kind(SpanKind::Consumer)
            .link(TRACE, 1)
    }

    fn forest(spans: impl IntoIterator<Item = Synthetic>) -> Forest {
        Forest::new(spans.into_iter().map(Synthetic::build))
    }

    fn all_notes(spans: impl IntoIterator<Item = Synthetic>) -> Vec<String> {
        let forest = forest(spans);
        Timeline::all(&forest)
            .into_iter()
            .flat_map(|timeline| timeline.rows)
            .flat_map(|row| row.notes)
            .collect()
    }

    #[test]
    fn waiting_is_counted_from_the_end_of_sending() {
        assert_eq!(
            all_notes([sent([0, 1000]), processed([3500, 9000])]),
            ["waited 2.5 ms"]
        );
    }

    #[test]
    fn waiting_is_counted_from_the_start_of_sending_when_the_confirmation_came_late() {
        assert_eq!(
            all_notes([sent([0, 4000]), processed([3500, 9000])]),
            ["waited 3.5 ms"]
        );
    }

    #[test]
    fn clocks_that_differ_are_told_and_no_waiting_is_made_up() {
        assert_eq!(
            all_notes([sent([5000, 6000]), processed([1000, 9000])]),
            ["starts 4.0 ms before its parent"]
        );
    }

    #[test]
    fn a_retry_and_an_error_are_noted_the_type_where_no_description_is() {
        let attempt = KeyValue::new("traced.message.attempt", 2);
        let notes = all_notes([
            span(1, 0, "a", "b", [0, 1])
                .attribute(attempt)
                .error("out of\nstock"),
            span(2, 0, "a", "c", [1, 1])
                .attribute(KeyValue::new("error.type", "Kind"))
                .error(""),
        ]);
        assert_eq!(notes, ["out of stock", "attempt 2", "Kind"]);
    }

    #[test]
    fn hops_are_counted_and_the_broken_ones_too() {
        let counts = |spans: Vec<Synthetic>| {
            Timeline::all(&forest(spans))
                .iter()
                .map(Timeline::counts)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            counts(vec![sent([0, 1]), processed([2, 3])]),
            ["2 services, 1 broker hop, 0 broken"]
        );
        assert_eq!(
            counts(vec![processed([2, 3])]),
            ["1 service, 1 broker hop, 1 broken"]
        );
        let batch = span(3, 0, "depot", "process", [2, 3])
            .trace(8)
            .kind(SpanKind::Consumer)
            .link(TRACE, 1)
            .link(TRACE, 4);
        let other = span(4, 0, "shop", "publish", [0, 1]).kind(SpanKind::Producer);
        assert_eq!(
            counts(vec![sent([0, 1]), other, batch]),
            [
                "1 service, 0 broker hops, 0 broken",
                "1 service, 2 broker hops, 0 broken"
            ]
        );
    }

    #[test]
    fn links_name_the_other_trace_and_leave_the_parent_out() {
        let elsewhere = 0xabcd_ef01_2345_6789_abcd_ef01_2345_6789;
        let forest = forest([sent([0, 1]), processed([2, 3]).link(elsewhere, 9)]);
        let timelines = Timeline::all(&forest);
        let links: Vec<_> = timelines[0]
            .rows
            .iter()
            .flat_map(|row| &row.links)
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(
            links,
            ["links a span that was not captured (trace abcdef01…)"]
        );
    }

    #[test]
    fn a_trace_without_any_time_has_its_rows_at_the_start() {
        let forest = forest([sent([7, 7]), processed([7, 7])]);
        let timelines = Timeline::all(&forest);
        assert!(
            timelines[0]
                .rows
                .iter()
                .all(|row| (row.start, row.end) == (0.0, 0.0))
        );
    }

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0 µs"),
            (812, "812 µs"),
            (48_123, "48.1 ms"),
            (1_250_000, "1.25 s"),
            (59_999_000, "1 min 0 s"),
            (125_000_000, "2 min 5 s"),
        ];
        for (micros, text) in cases {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(truncated("größer", 6), "größer");
        assert_eq!(truncated("größer", 4), "grö…");
    }
}
