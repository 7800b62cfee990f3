//! Traces that nobody records, and telemetry that is not to be made.

use crate::bench::see;
use crate::{Bench, Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{TraceContextExt as _, TraceFlags};
use opentelemetry_sdk::trace::Sampler;
use traced_envelope::testing::Capture;

/// A producer that does not sample says so in the headers, and the consumer heeds it: the same trace, and nothing is exported anywhere.
pub async fn an_unsampled_trace_stays_unsampled_and_keeps_its_id<T: Transport>() -> Result<()> {
    let dropped = Bench::<T>::with(Capture::with_sampler(Sampler::AlwaysOff)).await?;
    // A consumer that would sample by itself: it follows its parent.
    let following = Capture::new();
    let mut consumer = dropped.transport.consumer(&following.settings("warehouse")).await?;
    dropped.publish("7", T::plain()).await?;
    let seen = see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;

    let headers = T::header(&seen.arrived.native, "traceparent");
    let [traceparent] = &headers[..] else { panic!("{headers:?}") };
    let parts: Vec<_> = traceparent.split('-').collect();
    assert_eq!((parts.len(), parts[3]), (4, "00"), "{traceparent}");
    let span = seen.span();
    assert_eq!(span.trace_id().to_string(), parts[1], "the same trace in the handler");
    assert_eq!(span.trace_flags(), TraceFlags::default(), "an unsampled span in the handler");
    assert_ne!(span.span_id().to_string(), parts[2], "but a span of the consumer's own");
    assert!(dropped.capture.spans().is_empty() && following.spans().is_empty(), "something was exported");
    // Metrics are counted all the same.
    assert_eq!(dropped.capture.metric("messaging.client.sent.messages").value(), 1.0);
    assert_eq!(following.metric("messaging.client.consumed.messages").value(), 1.0);
    Ok(())
}

/// Under suppression, as in an exporter that ships over this very broker, there is no span, no metric and no header; and the handler is
/// suppressed as well, so that what it sends is silent too.
pub async fn suppressed_telemetry_makes_no_span_no_metric_and_no_header<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let suppressed = Context::new().with_baggage([crate::bench::baggage("tenant", "acme")]).with_telemetry_suppressed();
    let settings = bench.warehouse().receive_spans(true).settle_spans(true);
    let mut consumer = bench.transport.consumer(&settings).await?;
    let seen = async {
        bench.publish("7", T::plain()).await?;
        see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await
    }
    .with_context(suppressed)
    .await?;

    assert!(seen.context.is_telemetry_suppressed(), "the handler is not suppressed");
    assert!(!seen.context.has_active_span());
    for name in super::headers::OURS {
        assert_eq!(T::header(&seen.arrived.native, name), [""; 0], "{name}");
    }
    assert!(bench.capture.spans().is_empty() && bench.capture.open_spans().is_empty());
    assert!(bench.capture.metrics().is_empty(), "{:?}", bench.capture.metrics());

    // Not for ever: the same producer and consumer trace the next message.
    bench.publish("8", T::plain()).await?;
    bench.look(&mut consumer).await?;
    assert_eq!(bench.processed().parent_id(), Some(bench.published().span_id()));
    Ok(())
}
