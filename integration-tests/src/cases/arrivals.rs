//! Messages that come without a context, with an unreadable one, or from other languages.

use super::headers::{FOREIGN_SPAN, FOREIGN_TRACE};
use crate::bench::linked;
use crate::{Bench, Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::baggage::BaggageExt as _;
use std::convert::Infallible;

/// A message without headers is processed in a trace of its own, without a link, and counted as one that came without a context.
pub async fn a_bare_message_starts_a_trace_and_is_counted_as_absent<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.transport.publish_bare(b"7", T::plain()).await?;
    let seen = bench.look(&mut consumer).await?;

    assert_eq!(seen.arrived.payload, b"7");
    let process = bench.processed();
    assert_eq!((process.parent_id(), process.links().len(), process.is_error()), (None, 0, false));
    assert_eq!(seen.span().span_id(), process.span_id(), "the handler runs inside it");
    assert_eq!((bench.missing("absent"), bench.missing("invalid")), (1.0, 0.0));

    // One that carries a context is not counted.
    bench.publish("8", T::plain()).await?;
    bench.look(&mut consumer).await?;
    assert_eq!((bench.missing("absent"), bench.missing("invalid")), (1.0, 0.0));
    Ok(())
}

/// A context that cannot be read, of whatever kind, is as good as none: the message is processed in a trace of its own, and counted. So are
/// contexts that contradict each other.
pub async fn a_malformed_context_is_ignored_and_counted_as_invalid<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let malformed = T::malformed().into_iter().map(|(case, native)| (case, native, "invalid"));
    let conflicting = T::conflicting().into_iter().map(|(case, native)| (case, native, "conflicting"));
    for (case, native, expected) in malformed.chain(conflicting) {
        bench.capture.clear();
        bench.transport.publish_bare(case.as_bytes(), native.clone()).await?;
        let seen = bench.look(&mut consumer).await?;
        assert_eq!(String::from_utf8_lossy(&seen.arrived.payload), *case);
        assert_eq!(seen.arrived.native, native, "{case}: the handler sees what was sent");
        let process = bench.processed();
        assert_eq!((process.parent_id(), process.links().len(), process.is_error()), (None, 0, false), "{case}");
        for reason in ["invalid", "conflicting", "absent"] {
            let counted = if reason == expected { 1.0 } else { 0.0 };
            assert_eq!(bench.missing(reason), counted, "{case}: {reason}");
        }
    }
    Ok(())
}

/// What services in other languages write, in every form that the transport has, is continued: ids, both flags (`03`), tracestate and
/// baggage; and the next hop gets all of it.
pub async fn a_foreign_message_continues_its_trace_with_both_flags<T: Transport>() -> Result<()> {
    let traceparent = format!("00-{FOREIGN_TRACE}-{FOREIGN_SPAN}-03");
    let headers =
        [("traceparent", &*traceparent), ("tracestate", "rojo=1,congo=t61rcWkgMzE"), ("baggage", "tenant=acme")];
    for (form, native) in T::foreign(&headers) {
        let bench = Bench::<T>::new().await?;
        let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
        bench.transport.publish_bare(b"7", native).await?;

        let delivery = soon(T::next(&mut consumer)).await??;
        let (transport, producer) = (bench.transport.clone(), bench.transport.producer(&bench.warehouse()));
        let baggage = T::process(delivery, Settle::Done, async move |_| {
            transport.publish(&producer, b"next hop", T::plain()).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(opentelemetry::Context::current().baggage().get("tenant").map(ToString::to_string))
        });
        assert_eq!(baggage.await.map_err(anyhow::Error::msg)?.as_deref(), Some("acme"), "{form}");

        let process = bench.processed();
        assert_eq!(process.trace_id().to_string(), FOREIGN_TRACE, "{form}");
        assert_eq!(process.parent_id().map(|id| id.to_string()).as_deref(), Some(FOREIGN_SPAN), "{form}");
        assert!(process.parent_is_remote(), "{form}");
        let links: Vec<_> = linked(&process).iter().map(|link| link.span_id().to_string()).collect();
        assert_eq!(links, [FOREIGN_SPAN], "{form}");
        assert_eq!(process.trace_state().header(), "rojo=1,congo=t61rcWkgMzE", "{form}");

        bench.capture.clear();
        let delivery = soon(T::next(&mut consumer)).await??;
        let next = T::process(delivery, Settle::Done, async |arrived| Ok::<_, Infallible>(arrived.native)).await?;
        let parent = bench.processed().parent_id().map(|id| id.to_string()).unwrap_or_default();
        assert_eq!(T::header(&next, "traceparent"), [format!("00-{FOREIGN_TRACE}-{parent}-03")], "{form}");
        assert_eq!(T::header(&next, "tracestate"), ["rojo=1,congo=t61rcWkgMzE"], "{form}");
        assert_eq!(T::header(&next, "baggage"), ["tenant=acme"], "{form}");
        assert_eq!(bench.missing("absent") + bench.missing("invalid"), 0.0, "{form}");
    }
    Ok(())
}
