//! The links of a batch: each creation context once, and no more than the SDK keeps.

use crate::SemConv;
use crate::attributes::count;
use crate::semconv::LINKS_DROPPED;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanContext};
use rustc_hash::FxHashSet;

/// The SDK's default limit (`OTEL_SPAN_LINK_COUNT_LIMIT`); it drops further ones without a word.
const LIMIT: usize = 128;

pub(crate) struct Links {
    kept: Vec<Link>,
    dropped: usize,
}

impl Links {
    /// Invalid contexts are left out, repeated ones count once.
    pub(crate) fn collect(contexts: impl Iterator<Item = (SpanContext, Vec<KeyValue>)>) -> Self {
        let mut seen = FxHashSet::default();
        let mut links = Self { kept: Vec::new(), dropped: 0 };
        for (context, attributes) in contexts {
            if !context.is_valid() || !seen.insert((context.trace_id(), context.span_id())) {
                continue;
            }
            if links.kept.len() < LIMIT {
                links.kept.push(Link::new(context, attributes, 0));
            } else {
                links.dropped += 1;
            }
        }
        links
    }

    /// Of messages that have no attributes of their own.
    pub(crate) fn of(contexts: impl IntoIterator<Item = SpanContext>) -> Self {
        Self::collect(contexts.into_iter().map(|context| (context, Vec::new())))
    }

    pub(crate) fn note_dropped(&self, attributes: &mut Vec<KeyValue>, release: SemConv) {
        if self.dropped > 0 {
            release.push(attributes, &LINKS_DROPPED, count(self.dropped));
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Link> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn links_are_deduplicated_and_capped_and_the_rest_is_counted() {
        let context =
            |id: u64| SpanContext::new(TraceId::from(7), SpanId::from(id), TraceFlags::SAMPLED, true, TraceState::NONE);
        let ids = (0..=131).chain(1..=131);
        let links = Links::collect(ids.map(|id| (context(id), Vec::new())));
        let mut attributes = Vec::new();
        links.note_dropped(&mut attributes, SemConv::V1_44);
        assert_eq!(attributes, [KeyValue::new("traced.links.dropped", 3)]);
        assert_eq!(links.into_vec().len(), LIMIT);
    }
}
