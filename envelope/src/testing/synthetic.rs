use std::time::{Duration, SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::span::CapturedSpan;

pub(crate) const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

/// A span with chosen ids and times, for golden texts.
#[derive(Debug)]
pub(crate) struct Synthetic(&'static str, SpanData);

pub(crate) fn context(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::SAMPLED, false, TraceState::NONE)
}

fn at(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_micros(micros)
}

/// `times` are microseconds.
pub(crate) fn span(id: u64, parent: u64, service: &'static str, name: &'static str, times: [u64; 2]) -> Synthetic {
    Synthetic(
        service,
        SpanData {
            span_context: context(TRACE, id),
            parent_span_id: SpanId::from(parent),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: at(times[0]),
            end_time: at(times[1]),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("synthetic").build(),
        },
    )
}

impl Synthetic {
    pub(crate) fn trace(mut self, trace: u128) -> Self {
        self.1.span_context = context(trace, u64::from_be_bytes(self.1.span_context.span_id().to_bytes()));
        self
    }

    pub(crate) fn kind(mut self, kind: SpanKind) -> Self {
        self.1.span_kind = kind;
        self
    }

    pub(crate) fn remote(mut self) -> Self {
        self.1.parent_span_is_remote = true;
        self
    }

    pub(crate) fn link(mut self, trace: u128, span: u64) -> Self {
        self.1.links.links.push(Link::new(context(trace, span), Vec::new(), 0));
        self
    }

    pub(crate) fn attribute(mut self, attribute: KeyValue) -> Self {
        self.1.attributes.push(attribute);
        self
    }

    pub(crate) fn error(mut self, description: &'static str) -> Self {
        self.1.status = Status::error(description);
        self
    }

    pub(crate) fn build(self) -> CapturedSpan {
        CapturedSpan::new(self.0, self.1)
    }
}
