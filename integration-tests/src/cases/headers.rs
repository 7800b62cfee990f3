//! What becomes of the headers that a message has already.

use crate::bench::{cannot, linked};
use crate::{Ability, Bench, Transport, soon};
use anyhow::Result;
use opentelemetry::trace::SpanKind;
use traced_envelope::ExistingContext;

/// A context from elsewhere, and its two ids.
pub(super) const FOREIGN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(super) const FOREIGN_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(super) const FOREIGN_SPAN: &str = "00f067aa0ba902b7";

pub(super) const OURS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// Texts, bytes, numbers, nulls and nested values of the user's, and all other properties, arrive as they were sent, beside ours.
pub async fn users_headers_of_every_kind_survive_beside_ours<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.publish("7", T::rich()).await?;
    let traced = bench.look(&mut consumer).await?;
    bench.transport.publish_bare(b"7", T::rich()).await?;
    let bare = bench.look(&mut consumer).await?;

    assert_eq!(T::without(&traced.arrived.native, &OURS), T::rich(), "as they were sent");
    assert_eq!(T::without(&traced.arrived.native, &OURS), bare.arrived.native, "as the bare client's arrive");
    assert_eq!(traced.arrived.payload, bare.arrived.payload);
    let publish = bench.published();
    let expected = format!("00-{}-{}-01", publish.trace_id(), publish.span_id());
    assert_eq!(T::header(&traced.arrived.native, "traceparent"), [expected], "one, and the publish span's");
    assert_eq!(T::header(&traced.arrived.native, "tracestate"), [""; 0], "an empty one is not written");
    assert_eq!(T::header(&traced.arrived.native, "baggage"), [""; 0]);
    Ok(())
}

/// A context that the message carries, in whatever form, gives way to the new span's and becomes a link; of each header one is left.
pub async fn an_existing_context_is_replaced_and_linked<T: Transport>() -> Result<()> {
    if cannot::<T>("a context that is replaced", Ability::ExistingContext) {
        return Ok(());
    }
    let old = [("traceparent", FOREIGN), ("tracestate", "vendor=1"), ("baggage", "tenant=acme")];
    for (form, native) in T::foreign(&old) {
        let bench = Bench::<T>::new().await?;
        let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
        bench.publish("7", native).await?;
        let seen = bench.look(&mut consumer).await?;

        let (publish, process) = (bench.published(), bench.processed());
        let expected = format!("00-{}-{}-01", publish.trace_id(), publish.span_id());
        assert_eq!(T::header(&seen.arrived.native, "traceparent"), [expected], "{form}");
        assert_eq!(T::header(&seen.arrived.native, "tracestate"), [""; 0], "{form}: it belonged to the old context");
        assert_eq!(T::header(&seen.arrived.native, "baggage"), [""; 0], "{form}: it belonged to the old context");
        assert_eq!((publish.parent_id(), publish.kind()), (None, SpanKind::Producer), "{form}");
        let [link] = &linked(&publish)[..] else { panic!("{form}: links {:?}", publish.links()) };
        assert_eq!(
            (link.trace_id().to_string(), link.span_id().to_string()),
            (FOREIGN_TRACE.into(), FOREIGN_SPAN.into())
        );
        assert_eq!(process.parent_id(), Some(publish.span_id()), "{form}");
    }
    Ok(())
}

/// A producer told to keep it leaves the message's context alone; its own span is a CLIENT that links it.
pub async fn a_context_that_is_kept_stays_as_it_is_and_is_linked<T: Transport>() -> Result<()> {
    if cannot::<T>("a context that is kept", Ability::ExistingContext) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let producer = bench.transport.producer(&bench.shop().existing_context(ExistingContext::Keep));
    let old = [("traceparent", FOREIGN), ("tracestate", "vendor=1"), ("baggage", "tenant=acme")];
    bench.transport.publish(&producer, b"7", T::with_headers(T::rich(), &old)).await?;
    let seen = bench.look(&mut consumer).await?;

    assert_eq!(seen.arrived.native, T::with_headers(T::rich(), &old));
    let (publish, process) = (bench.published(), bench.processed());
    assert_eq!(publish.kind(), SpanKind::Client);
    let ids: Vec<_> = linked(&publish).iter().map(|link| link.span_id().to_string()).collect();
    assert_eq!(ids, [FOREIGN_SPAN]);
    assert_eq!(
        process.parent_id().map(|id| id.to_string()).as_deref(),
        Some(FOREIGN_SPAN),
        "the creation context's child"
    );
    assert_eq!(process.trace_id().to_string(), FOREIGN_TRACE);
    Ok(())
}

/// However often a message is sent on, it keeps its creation context and one header of each name, and every attempt is linked to it.
pub async fn a_republished_message_keeps_its_creation_context_and_one_header_of_each_name<T: Transport>() -> Result<()>
{
    if cannot::<T>("republishing", Ability::Republish) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let producer = bench.transport.producer(&bench.warehouse());
    bench.publish("7", T::rich()).await?;
    let creation = bench.published();
    for _ in 0..3 {
        let delivery = soon(T::next(&mut consumer)).await??;
        soon(bench.transport.republish(&producer, delivery)).await??;
    }
    let seen = bench.look(&mut consumer).await?;

    let expected = format!("00-{}-{}-01", creation.trace_id(), creation.span_id());
    assert_eq!(T::header(&seen.arrived.native, "traceparent"), [expected]);
    assert_eq!(T::without(&seen.arrived.native, &OURS), T::rich());
    bench.assert_trace(
        "
        PUBLISH           shop       PRODUCER
        ├─ PROCESS        warehouse  CONSUMER  → PUBLISH
        │  └─ PUBLISH     warehouse  CLIENT    → PUBLISH
        ├─ PROCESS        warehouse  CONSUMER  → PUBLISH
        │  └─ PUBLISH     warehouse  CLIENT    → PUBLISH
        ├─ PROCESS        warehouse  CONSUMER  → PUBLISH
        │  └─ PUBLISH     warehouse  CLIENT    → PUBLISH
        └─ PROCESS        warehouse  CONSUMER  → PUBLISH
        ",
    );
    for span in bench.capture.spans().iter().filter(|span| span.span_id() != creation.span_id()) {
        let ids: Vec<_> = linked(span).iter().map(opentelemetry::trace::SpanContext::span_id).collect();
        assert_eq!(ids, [creation.span_id()], "{} links the creation context and nothing else", span.name());
    }
    Ok(())
}
