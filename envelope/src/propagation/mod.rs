//! W3C Trace Context and Baggage, strictly and without loss.
//!
//! [`W3cPropagator`] reads and writes the headers `traceparent`, `tracestate` and `baggage` as
//! [Trace Context Level 2] and [Baggage] define them. It is an OpenTelemetry
//! [`TextMapPropagator`](opentelemetry::propagation::TextMapPropagator), so an application installs it
//! for everything that it traces:
//!
//! ```
//! use opentelemetry::global;
//! use traced_envelope::propagation::W3cPropagator;
//!
//! global::set_text_map_propagator(W3cPropagator::new());
//!
//! let fields = global::get_text_map_propagator(|propagator| propagator.fields().count());
//! assert_eq!(fields, 3);
//! ```
//!
//! Not in here: other formats. B3, X-Ray and the like come from their own crates and work in every
//! place that takes a propagator.
//!
//! # Why not the SDK's propagators?
//!
//! Between services of one fleet they do. A queue has writers in many languages, and messages that
//! outlive the service that wrote them; there, in version 0.33, they lose what this one keeps:
//!
//! | | `TraceContextPropagator`, `BaggagePropagator` | here | source |
//! |---|---|---|---|
//! | malformed `traceparent` (`00-1-1-1`, a sign, a short id) | accepted, padded with zeros | no context | "traceparent Header Field Values" |
//! | two different `traceparent` | the carrier's choice | no context: neither can be trusted | the W3C's test harness |
//! | flags `03` | written as `01` | both kept | "Random Trace ID Flag" |
//! | several `tracestate` headers | the first | one list | RFC 7230, 3.2.2 |
//! | `tracestate` members `a@@b=1`, `a@_b=1` | the whole list is lost | kept | "Key" |
//! | more than 32 members | cut off | the list is discarded | "list" |
//! | empty `tracestate` | written | not written | "tracestate Header Field Values" |
//! | baggage value `a=b` | read as `a` | kept | "value" |
//! | baggage value `100%` | written as `100%` | `100%25` | "value" |
//! | baggage beyond 8192 bytes | all of it is lost | whole members up to there | "Limits" |
//! | order of baggage | at random | by key | |
//!
//! # Limits
//!
//! - A `tracestate` member that the API's [`TraceState`](opentelemetry::trace::TraceState) refuses
//!   although Level 2 allows it (two `@`, more than 13 characters behind one, or a `_`, `-`, `*` or `/`
//!   right behind it) passes through, but the API has no place for it: neither samplers, spans nor links
//!   show it, and it is lost where an application builds a context of its own around a
//!   [`SpanContext`](opentelemetry::trace::SpanContext).
//! - If a sampler or the application changes the state, such members move behind those it changed, and
//!   the last of more than 32 are dropped.
//! - A `tracestate` longer than 32 members of full size (16447 bytes) is discarded, even if only its
//!   padding makes it so long.
//! - Of members of baggage with the same key the last one holds: the API's
//!   [`Baggage`](opentelemetry::baggage::Baggage) is a map.
//!
//! [Trace Context Level 2]: https://www.w3.org/TR/trace-context-2/
//! [Baggage]: https://www.w3.org/TR/baggage/

mod baggage;
mod carried;
mod traceparent;
mod tracestate;
mod w3c;

pub use traceparent::{format_traceparent, parse_traceparent};
pub use w3c::W3cPropagator;

pub(crate) use baggage::member_len;
pub(crate) use carried::restore_random;
pub(crate) use w3c::{Extracted, Finding, recognise};

/// Trims optional whitespace: spaces and tabs, which HTTP allows around a field's value.
fn trim_ows(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
