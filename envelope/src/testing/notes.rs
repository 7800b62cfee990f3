//! What is said about a span beside its bar.

use std::time::SystemTime;

use opentelemetry::{
    Value,
    trace::{SpanContext, SpanKind, Status},
};

use super::{
    outline::{UnknownParent, one_line},
    span::CapturedSpan,
    tree::Tree,
    words::short,
};

pub(super) fn is_sender(span: &CapturedSpan) -> bool {
    matches!(span.kind(), SpanKind::Producer | SpanKind::Client)
}

/// Who sent the one message that a consumer span is about.
pub(super) fn sender<'a>(tree: Tree<'a>) -> Option<&'a CapturedSpan> {
    let (span, forest) = (tree.span(), tree.forest());
    if span.kind() != SpanKind::Consumer {
        return None;
    }
    let linked = || match span.links() {
        [link] => forest.find(&link.span_context),
        // A batch: each message waited for another time.
        _ => None,
    };
    let first = forest.parent(span).filter(|parent| is_sender(parent)).or_else(linked)?;
    Some(sent_on(tree, first).unwrap_or(first))
}

/// Who sent the message on, if it was: a CLIENT span that keeps the creation context links it. The latest one to this destination.
fn sent_on<'a>(tree: Tree<'a>, first: &CapturedSpan) -> Option<&'a CapturedSpan> {
    let destination =
        |span: &CapturedSpan| span.attribute("messaging.destination.name").map(|name| name.as_str().into_owned());
    let span = tree.span();
    let to = destination(span)?;
    let links_first =
        |sender: &CapturedSpan| sender.links().iter().any(|link| link.span_context.span_id() == first.span_id());
    let candidates = tree.forest().spans().iter().filter(|sender| {
        sender.kind() == SpanKind::Client
            && sender.start() <= span.start()
            && links_first(sender)
            // A consumer's destination may have the queue at its end, too.
            && destination(sender).is_some_and(|from| to.starts_with(&from))
    });
    candidates.max_by_key(|sender| sender.start())
}

/// When the broker had the message: it may deliver before its confirmation is back at the producer.
pub(super) fn sent_at(sender: &CapturedSpan, receiver: &CapturedSpan) -> SystemTime {
    if sender.end() <= receiver.start() { sender.end() } else { sender.start() }
}

pub(super) fn notes(tree: Tree<'_>, sent: Option<SystemTime>) -> Vec<String> {
    let span = tree.span();
    let mut notes = Vec::new();
    if let Status::Error { description } = span.status() {
        let kind = span.attribute("error.type").map(|kind| kind.as_str().into_owned());
        let text = if description.is_empty() { kind.unwrap_or("error".to_owned()) } else { description.to_string() };
        notes.push(one_line(&text));
    }
    let attempt = span.attribute("traced.message.attempt");
    notes.extend(attempt.map(|attempt| format!("attempt {attempt}")));
    // A message that was delivered again has not waited all the time: it was being processed before. One that was sent on has waited
    // since then. Negative times are clocks that differ, which the next note tells.
    let is_first = attempt.is_none_or(|attempt| *attempt == Value::I64(1));
    let was_sent_on = sender(tree).is_some_and(|sender| sender.kind() == SpanKind::Client);
    let wait = sent.filter(|_| is_first || was_sent_on).and_then(|sent| span.start().duration_since(sent).ok());
    notes.extend(wait.map(|wait| format!("waited {}", short(wait))));
    if let Some(Err(early)) = tree.forest().parent(span).map(|parent| span.start().duration_since(parent.start())) {
        notes.push(format!("starts {} before its parent", short(early.duration())));
    }
    notes.extend(UnknownParent::of(tree).map(|parent| format!("⇠ {}", parent.text())));
    notes
}

pub(super) fn links(tree: Tree<'_>) -> Vec<(SpanContext, String)> {
    let span = tree.span();
    let text = |link: &SpanContext| {
        let name = tree
            .forest()
            .find(link)
            .map_or("a span that was not captured".to_owned(), |linked| one_line(linked.name()));
        if link.trace_id() == span.trace_id() {
            return format!("links {name}");
        }
        let id = link.trace_id().to_string();
        format!("links {name} (trace {}…)", id.get(..8).unwrap_or(&id))
    };
    let shown = span.links().iter().map(|link| &link.span_context).filter(|link| !span.is_link_to_parent(link));
    shown.map(|link| (link.clone(), text(link))).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry::{KeyValue, trace::SpanKind};

    use super::super::{
        forest::Forest,
        synthetic::{Synthetic, TRACE, span},
        timeline::Timeline,
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

    fn all_notes(spans: impl IntoIterator<Item = Synthetic>) -> Vec<String> {
        let forest = forest(spans);
        Timeline::all(&forest).into_iter().flat_map(|timeline| timeline.rows).flat_map(|row| row.notes).collect()
    }

    #[test]
    fn waiting_is_counted_from_the_end_of_sending() {
        assert_eq!(all_notes([sent([0, 1000]), processed([3500, 9000])]), ["waited 2.5 ms"]);
    }

    #[test]
    fn waiting_is_counted_from_the_start_of_sending_when_the_confirmation_came_late() {
        assert_eq!(all_notes([sent([0, 4000]), processed([3500, 9000])]), ["waited 3.5 ms"]);
    }

    #[test]
    fn a_message_that_was_sent_on_has_waited_since_then() {
        let destination = |name: &'static str| KeyValue::new("messaging.destination.name", name);
        let notes = all_notes([
            sent([0, 1000]).attribute(destination("orders")),
            span(3, 1, "depot", "publish", [4000, 5000])
                .kind(SpanKind::Client)
                .link(TRACE, 1)
                .attribute(destination("dead")),
            processed([5500, 9000])
                .attribute(destination("dead"))
                .attribute(KeyValue::new("traced.message.attempt", 2)),
        ]);
        assert_eq!(notes, ["attempt 2", "waited 500 µs"]);
    }

    #[test]
    fn clocks_that_differ_are_told_and_no_waiting_is_made_up() {
        assert_eq!(all_notes([sent([5000, 6000]), processed([1000, 9000])]), ["starts 4.0 ms before its parent"]);
    }

    #[test]
    fn a_retry_and_an_error_are_noted_the_type_where_no_description_is() {
        let attempt = KeyValue::new("traced.message.attempt", 2);
        let notes = all_notes([
            span(1, 0, "a", "b", [0, 1]).attribute(attempt).error("out of\nstock"),
            span(2, 0, "a", "c", [1, 1]).attribute(KeyValue::new("error.type", "Kind")).error(""),
        ]);
        assert_eq!(notes, ["out of stock", "attempt 2", "Kind"]);
    }

    #[test]
    fn links_name_the_other_trace_and_leave_the_parent_out() {
        let elsewhere = 0xabcd_ef01_2345_6789_abcd_ef01_2345_6789;
        let forest = forest([sent([0, 1]), processed([2, 3]).link(elsewhere, 9)]);
        let timelines = Timeline::all(&forest);
        let links: Vec<_> =
            timelines[0].rows.iter().flat_map(|row| &row.links).map(|(_, text)| text.as_str()).collect();
        assert_eq!(links, ["links a span that was not captured (trace abcdef01…)"]);
    }
}
