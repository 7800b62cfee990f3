//! The public functions on bytes allocate nothing, whatever they are given.

use allocation_counter::measure;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use traced_envelope::propagation::{format_traceparent, parse_traceparent};

#[test]
fn traceparent_is_formatted_and_parsed_without_allocating() {
    let context = SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::SAMPLED, true, TraceState::NONE);
    let mut header = [0; 55];
    let formatting = measure(|| header = format_traceparent(&context));
    assert_eq!(formatting.count_total, 0);

    let long = [b'0'; 4096];
    let mut parsed = None;
    for text in [header.as_slice(), b"", b"00-1-1-1", &long] {
        let parsing = measure(|| parsed = parsed.take().or(parse_traceparent(text)));
        assert_eq!(parsing.count_total, 0, "{}", text.escape_ascii());
    }
    assert_eq!(parsed, Some(context));
}
