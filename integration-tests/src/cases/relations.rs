//! Whose child a process span is, and whom it links; and who is not trusted with that.

use super::headers::FOREIGN;
use crate::bench::{linked, see};
use crate::{Bench, Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, Tracer as _};
use traced_envelope::{Relation, Settings, Trust};

/// Parent and links of a message that is published, and processed inside a span `batch job`.
#[derive(Debug, Eq, PartialEq)]
struct Found {
    parent: &'static str,
    links: Vec<&'static str>,
}

/// One message, consumed with these settings inside a span that was not current when the consumer was made.
async fn processed_with<T: Transport>(bench: &Bench<T>, settings: Settings) -> Result<Found> {
    bench.capture.clear();
    let mut consumer = bench.transport.consumer(&settings).await?;
    bench.publish("7", T::plain()).await?;
    let delivery = soon(T::next(&mut consumer)).await??;
    let ambient = Context::new().with_span(bench.warehouse_tracer().start("batch job"));
    see::<T>(delivery, Settle::Done).with_context(ambient.clone()).await?;
    ambient.span().end();
    bench.transport.close(consumer).await?;
    let (publish, process, ambient) = (bench.published(), bench.processed(), bench.capture.span("batch job"));
    let name = |id| match id {
        None => "none",
        Some(id) if id == publish.span_id() => "creation",
        Some(id) if id == ambient.span_id() => "ambient",
        Some(_) => "unknown",
    };
    let parent = name(process.parent_id());
    let trace = match parent {
        "creation" => process.trace_id() == publish.trace_id(),
        "ambient" => process.trace_id() == ambient.trace_id(),
        _ => process.trace_id() != publish.trace_id() && process.trace_id() != ambient.trace_id(),
    };
    assert!(trace, "parent {parent}, but another's trace id");
    Ok(Found { parent, links: linked(&process).iter().map(|link| name(Some(link.span_id()))).collect() })
}

/// Each relation has its parent and its links.
pub async fn each_relation_has_its_parent_and_its_links<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    for (relation, parent, links) in [
        (Relation::Auto, "creation", vec!["creation", "ambient"]),
        (Relation::Parent, "creation", vec!["creation"]),
        (Relation::Link, "ambient", vec!["creation"]),
        (Relation::New, "none", vec!["creation"]),
        (Relation::Ignore, "ambient", vec![]),
    ] {
        let found = processed_with(&bench, bench.warehouse().relation(relation)).await?;
        assert_eq!(found, Found { parent, links }, "{relation:?}");
    }
    Ok(())
}

/// Untrusted goes before the closure, the closure before the destination's relation, that before the global one; the closure sees the
/// message.
pub async fn relations_go_untrusted_then_closure_then_destination_then_global<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let destination = bench.transport.spans().consumed_from;
    let global = bench.warehouse().relation(Relation::Ignore);
    let elsewhere = global.clone().relation_for("elsewhere*", Relation::Parent);
    let here = elsewhere.clone().relation_for(destination.clone(), Relation::Parent);
    let closure = here.clone().relation_with(move |message| {
        assert_eq!((message.destination(), message.operation(), message.attempt()), (&*destination, "process", 1));
        assert!(message.header("traceparent").is_some(), "the closure sees the headers");
        Relation::Link
    });
    let untrusted = closure.clone().untrusted();
    for (case, settings, parent, links) in [
        ("global", global, "ambient", vec![]),
        ("another destination", elsewhere, "ambient", vec![]),
        ("destination", here, "creation", vec!["creation"]),
        ("closure", closure, "ambient", vec!["creation"]),
        ("untrusted", untrusted, "none", vec!["creation"]),
    ] {
        assert_eq!(processed_with(&bench, settings).await?, Found { parent, links }, "{case}");
    }
    Ok(())
}

/// A message from a queue that is not trusted starts a trace, linked at most; neither its tracestate nor its baggage get in, nor does its
/// decision about sampling.
pub async fn an_untrusted_message_starts_a_trace_without_tracestate_and_baggage<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let unsampled = FOREIGN.replace("-01", "-00");
    for (trust, links) in [(Trust::Untrusted, 1), (Trust::UntrustedUnlinked, 0)] {
        for traceparent in [FOREIGN, &unsampled] {
            bench.capture.clear();
            let mut consumer = bench.transport.consumer(&bench.warehouse().trust(trust)).await?;
            let foreign = [("traceparent", traceparent), ("tracestate", "vendor=1"), ("baggage", "admin=true")];
            bench.transport.publish_bare(b"7", T::with_headers(T::plain(), &foreign)).await?;
            let seen = bench.look(&mut consumer).await?;

            let process = bench.processed();
            let foreign_trace = super::headers::FOREIGN_TRACE;
            assert_eq!(process.parent_id(), None, "{trust:?}");
            assert_ne!(process.trace_id().to_string(), foreign_trace, "{trust:?}");
            assert!(process.is_sampled(), "{trust:?}: a foreigner decided");
            let linked = linked(&process);
            assert_eq!(linked.len(), links, "{trust:?}");
            assert!(linked.iter().all(|link| link.trace_id().to_string() == foreign_trace));
            assert!(linked.iter().map(SpanContext::trace_state).all(|state| state.header().is_empty()));
            assert_eq!(process.trace_state().header(), "");
            assert!(seen.context.baggage().is_empty(), "{trust:?}");
            bench.transport.close(consumer).await?;
        }
    }
    Ok(())
}
