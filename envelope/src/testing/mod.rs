//! Sees the traces that a test makes, says what is wrong with them, and draws them.
//!
//! For tests of your own: hand a [`Capture`]'s settings to producers and consumers, its tracers to
//! the code around them, and compare the trace with a drawing of it. For people: a [`Waterfall`] of
//! the same spans, as text or SVG.
//!
//! ```
//! use opentelemetry::trace::{SpanKind, Tracer};
//! use traced_envelope::testing::Capture;
//!
//! let capture = Capture::new();
//! let shop = capture.tracer("shop");
//! shop.in_span("checkout", |_| {
//!     // TracedProducer::with_settings(channel, &capture.settings("shop")) makes such spans:
//!     let _sent = shop.span_builder("publish orders").with_kind(SpanKind::Producer).start(&shop);
//! });
//!
//! capture.assert_no_open_spans();
//! capture.assert_one_trace();
//! capture.assert_trace("
//!     checkout           shop  INTERNAL
//!     └─ publish orders  shop  PRODUCER
//! ");
//! ```
//!
//! # The text of a trace
//!
//! A line for each span, children below their parent and further to the right. The branches of the
//! tree (`│`, `├`, `└`, `─`) may be left out: where the name starts is what counts. Columns are
//! separated by two or more spaces:
//!
//! | column | |
//! |---|---|
//! | span name | with single spaces, whatever the span's name has |
//! | service | |
//! | kind | `INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER` or `CONSUMER` |
//! | `→ name, name` | the spans it links, in any order; `?` for one that was not captured. None written: none allowed |
//! | `✗ error.type` | its status is an error of this type; `✗` alone: of any type. None written: no error |
//! | `⇠ remote parent`, `⇠ missing parent` | its parent was not captured: it came over the wire, or it has not ended yet |
//! | `{key=value, key=value}` | attributes that it has, among others |
//!
//! Siblings, and whole traces, compare in any order. A [`Forest`]'s `Display` writes this text:
//! print it once, read it, and paste it into the test.
//!
//! Assertions panic, as assertions do. Nothing else in here does, except where a `# Panics` section
//! says so.

mod assertions;
mod capture;
mod difference;
mod expectation;
mod forest;
mod identity;
mod install;
mod metric_store;
mod metrics;
mod notes;
mod outline;
mod providers;
mod service;
mod span;
mod span_list;
mod store;
mod svg;
#[cfg(test)]
mod synthetic;
mod terminal;
mod timeline;
mod tree;
mod waiting;
mod waterfall;
mod words;

pub use capture::Capture;
pub use forest::Forest;
pub use metrics::CapturedMetric;
pub use span::CapturedSpan;
pub use tree::Tree;
pub use waiting::SpansEnded;
pub use waterfall::{Colour, Waterfall};
