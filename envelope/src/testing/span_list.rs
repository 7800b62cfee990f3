//! Spans as people read them in messages.

use opentelemetry::trace::SpanKind;

use super::span::CapturedSpan;

/// The kind as the text of an outline writes it.
pub(super) fn kind_name(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "CLIENT",
        SpanKind::Server => "SERVER",
        SpanKind::Producer => "PRODUCER",
        SpanKind::Consumer => "CONSUMER",
        SpanKind::Internal => "INTERNAL",
    }
}

/// One line a span, for messages to people.
pub(super) fn list(spans: &[CapturedSpan]) -> String {
    if spans.is_empty() {
        return "  (none)".to_owned();
    }
    let line = |span: &CapturedSpan| {
        format!(
            "  {}  {}  {}  trace {} span {}",
            span.name(),
            span.service(),
            kind_name(&span.kind()),
            span.trace_id(),
            span.span_id()
        )
    };
    spans.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(list(&[]), "  (none)");
    }
}
