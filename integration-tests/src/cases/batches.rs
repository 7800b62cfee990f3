//! Many messages in one call.

use crate::bench::{cannot, linked};
use crate::{Ability, Bench, Transport, soon};
use anyhow::Result;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, Value};
use std::collections::HashSet;
use std::convert::Infallible;

/// Each message of a batch has a create span, whose context it carries; one send span links them all.
pub async fn a_batch_has_a_create_span_for_each_message_and_one_send_span_that_links_them<T: Transport>() -> Result<()>
{
    if cannot::<T>("batch publish", Ability::BatchPublish) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let producer = bench.transport.producer(&bench.shop());
    let checkout = Context::new().with_span(bench.shop_tracer().start("checkout"));
    let messages = (0..3).map(|number| (vec![number], T::rich())).collect();
    bench.transport.publish_batch(&producer, messages).with_context(checkout.clone()).await?;
    checkout.span().end();
    for number in 0..3 {
        let seen = bench.look(&mut consumer).await?;
        assert_eq!(
            (seen.arrived.payload, T::without(&seen.arrived.native, &["traceparent"])),
            (vec![number], T::rich())
        );
    }

    bench.assert_trace(
        "
        checkout         shop       INTERNAL
        ├─ CREATE        shop       PRODUCER
        │  └─ PROCESS    warehouse  CONSUMER  → CREATE
        ├─ CREATE        shop       PRODUCER
        │  └─ PROCESS    warehouse  CONSUMER  → CREATE
        ├─ CREATE        shop       PRODUCER
        │  └─ PROCESS    warehouse  CONSUMER  → CREATE
        └─ PUBLISH       shop       PRODUCER  → CREATE, CREATE, CREATE  {messaging.batch.message_count=3}
        ",
    );
    let created: HashSet<_> = bench.named(&bench.transport.spans().create).iter().map(|span| span.span_id()).collect();
    let links: HashSet<_> = linked(&bench.published()).iter().map(|link| link.span_id()).collect();
    assert_eq!((created.len(), created), (3, links), "three different ones");
    let parents: HashSet<_> =
        bench.named(&bench.transport.spans().process).iter().filter_map(|span| span.parent_id()).collect();
    assert_eq!(parents, linked(&bench.published()).iter().map(|link| link.span_id()).collect(), "each its own");
    Ok(())
}

/// With create spans switched off, all messages carry the one send span's context.
pub async fn a_batch_without_create_spans_carries_the_send_spans_context<T: Transport>() -> Result<()> {
    if cannot::<T>("batch publish", Ability::BatchPublish) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let producer = bench.transport.producer(&bench.shop().create_spans(false));
    bench.transport.publish_batch(&producer, vec![(b"7".to_vec(), T::rich()), (b"8".to_vec(), T::plain())]).await?;
    bench.look(&mut consumer).await?;
    bench.look(&mut consumer).await?;
    bench.assert_trace(
        "
        PUBLISH       shop       PRODUCER
        ├─ PROCESS    warehouse  CONSUMER  → PUBLISH
        └─ PROCESS    warehouse  CONSUMER  → PUBLISH
        ",
    );
    Ok(())
}

/// A batch is processed in one span, which links every creation context once, starts a trace of its own, and carries no message's baggage.
pub async fn a_processed_batch_links_each_creation_context_once_and_has_no_messages_baggage<T: Transport>() -> Result<()>
{
    if cannot::<T>("batch processing", Ability::BatchProcess) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    for number in 0..3 {
        let context = Context::new().with_baggage([crate::bench::baggage("tenant", &format!("t{number}"))]);
        bench.publish("7", T::plain()).with_context(context).await?;
    }
    // A second message with the first one's context, as a redelivery, and one without any.
    let first = bench.capture.spans().into_iter().next().map(|span| span.span_context().clone());
    let first = first.map(|it| format!("00-{}-{}-01", it.trace_id(), it.span_id())).unwrap_or_default();
    bench.transport.publish_bare(b"7", T::with_headers(T::plain(), &[("traceparent", &first)])).await?;
    bench.transport.publish_bare(b"7", T::plain()).await?;
    let created: Vec<_> = bench.capture.spans().iter().map(|span| span.span_id()).collect();

    let mut deliveries = Vec::new();
    for _ in 0..5 {
        deliveries.push(soon(T::next(&mut consumer)).await??);
    }
    let tracer = bench.warehouse_tracer();
    // Inside a task: the adapter's future can be spawned.
    let task = tokio::spawn(async move {
        T::process_batch(&consumer, deliveries, async move |arrived: Vec<_>| {
            tokio::task::yield_now().await;
            tracer.in_span("write all", |_| ());
            Ok::<_, Infallible>((arrived.len(), Context::current().baggage().len()))
        })
        .await
    });
    assert_eq!(soon(task).await???, (5, 0), "messages, and baggage members in the handler");

    let process = bench.processed();
    let links: Vec<_> = linked(&process).iter().map(|link| link.span_id()).collect();
    assert_eq!(links, created, "each once, in the messages' order");
    assert_eq!((process.parent_id(), process.kind()), (None, SpanKind::Consumer));
    assert_eq!(process.attribute("messaging.batch.message_count"), Some(&Value::I64(5)));
    assert_eq!(bench.capture.span("write all").parent_id(), Some(process.span_id()));
    assert_eq!(bench.missing("absent"), 1.0);
    bench.capture.assert_no_open_spans();
    Ok(())
}
