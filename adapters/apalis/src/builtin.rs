//! The context that apalis' own layer writes and reads.
//!
//! One entry, `trace id;span id;flags;tracestate`, the flags as a decimal number and `-` for what is not there (apalis-core 1.0,
//! `task/metadata.rs`). A trace state is the rest of the text: it may hold semicolons.

use crate::headers::Written;
use apalis_core::task::metadata::MetadataStore;
use opentelemetry::propagation::Injector as _;

/// Where it is.
pub(crate) const KEY: &str = "apalis_core.tracing.context";

pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

/// What it says, as the W3C writes it.
#[derive(Debug, PartialEq)]
pub(crate) struct Headers<'a> {
    pub(crate) traceparent: String,
    pub(crate) tracestate: Option<&'a str>,
}

/// Whether the context is valid is for the propagator to say. `None` too where apalis' layer saw no span: it writes `-` for each id then.
pub(crate) fn read(metadata: &MetadataStore) -> Option<Headers<'_>> {
    let mut parts = metadata.get(KEY)?.splitn(4, ';');
    let (trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?);
    if trace_id == "-" || span_id == "-" {
        return None;
    }
    let flags = if flags == "-" { 0 } else { flags.parse::<u8>().ok()? };
    let tracestate = parts.next().filter(|state| !matches!(*state, "-" | ""));
    Some(Headers { traceparent: format!("00-{trace_id}-{span_id}-{flags:02x}"), tracestate })
}

/// Adds it to the W3C headers that are written, so that workers which only know apalis' layer continue the trace.
pub(crate) fn write(written: &mut Written) {
    let entry = written.value(TRACEPARENT).and_then(|traceparent| {
        let mut parts = traceparent.splitn(4, '-').skip(1);
        let (trace_id, span_id) = (parts.next()?, parts.next()?);
        let flags = u8::from_str_radix(parts.next()?.get(..2)?, 16).ok()?;
        let tracestate = written.value(TRACESTATE).unwrap_or("-");
        Some(format!("{trace_id};{span_id};{flags};{tracestate}"))
    });
    // Without a W3C context there is nothing to say in it; one that was there would be another trace's.
    written.set(KEY, entry.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn what_apalis_wrote_is_read_as_w3c_headers() {
        let headers = |flags: &str, tracestate| {
            let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
            Some(Headers { traceparent, tracestate })
        };
        let entry = |rest: &str| format!("{TRACE};00f067aa0ba902b7;{rest}");
        for (entry, expected) in [
            (entry("1;-"), headers("01", None)),
            (entry("3;a=1,b=2"), headers("03", Some("a=1,b=2"))),
            (entry("1;a=1;2"), headers("01", Some("a=1;2"))),
            (entry("-;"), headers("00", None)),
            (entry("0"), headers("00", None)),
            ("-;-;-;-".to_owned(), None),
            (format!("{TRACE};-;1;-"), None),
            (entry("256;-"), None),
            (entry("01x;-"), None),
            (TRACE.to_owned(), None),
            (String::new(), None),
        ] {
            let metadata = MetadataStore::from_iter([(KEY, entry.as_str())]);
            assert_eq!(read(&metadata), expected, "{entry}");
        }
        assert_eq!(read(&MetadataStore::new()), None);
    }

    #[test]
    fn what_is_written_has_decimal_flags_and_no_stale_entry_stays() {
        let mut written = Written::default();
        written.set(TRACEPARENT, format!("00-{TRACE}-00f067aa0ba902b7-0b"));
        write(&mut written);
        assert_eq!(written.value(KEY), Some(&*format!("{TRACE};00f067aa0ba902b7;11;-")));

        written.set(TRACESTATE, "a=1".to_owned());
        write(&mut written);
        assert_eq!(written.value(KEY), Some(&*format!("{TRACE};00f067aa0ba902b7;11;a=1")));

        let mut b3 = Written::default();
        b3.set("b3", "1-2".to_owned());
        write(&mut b3);
        assert_eq!(b3.value(KEY), None, "it is removed");
    }
}
