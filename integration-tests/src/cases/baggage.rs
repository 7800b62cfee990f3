//! What an application sends along.

use crate::bench::baggage;
use crate::{Bench, Transport};
use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use traced_envelope::{BaggagePolicy, Relation};

/// The value that breaks most often between languages, and its bytes on the wire.
const DIFFICULT: &str = "a b+c=1 ü%";
const ENCODED: &str = "tenant=a%20b%2Bc%3D1%20%C3%BC%25";

/// Any text arrives in the handler as it was set, in every relation, and on the wire in the one form that all languages read.
pub async fn a_difficult_baggage_value_is_exact_on_the_wire_and_in_the_handler<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let context = Context::new().with_baggage([baggage("tenant", DIFFICULT), baggage("order", "7")]);
    for relation in [Relation::Auto, Relation::Parent, Relation::Link, Relation::New, Relation::Ignore] {
        let mut consumer = bench.transport.consumer(&bench.warehouse().relation(relation)).await?;
        bench.publish("7", T::plain()).with_context(context.clone()).await?;
        let seen = bench.look(&mut consumer).await?;
        assert_eq!(T::header(&seen.arrived.native, "baggage"), [format!("order=7,{ENCODED}")], "sorted, golden");
        let members = seen.context.baggage();
        let of = |key| members.get(key).map(ToString::to_string);
        assert_eq!((of("tenant").as_deref(), of("order").as_deref()), (Some(DIFFICULT), Some("7")), "{relation:?}");
        bench.transport.close(consumer).await?;
    }
    Ok(())
}

/// An allow-list holds in both directions, and `off` lets nothing out and nothing in; the trace goes on all the same.
pub async fn a_baggage_policy_holds_when_sending_and_when_receiving<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let context = Context::new().with_baggage([baggage("tenant", "acme"), baggage("secret", "xyzzy")]);
    let only = || BaggagePolicy::only(["tenant"]);
    for (case, sending, receiving, on_the_wire, in_the_handler) in [
        ("all", BaggagePolicy::all(), BaggagePolicy::all(), &["secret=xyzzy,tenant=acme"][..], 2),
        ("an allow-list of the sender's", only(), BaggagePolicy::all(), &["tenant=acme"], 1),
        ("an allow-list of the receiver's", BaggagePolicy::all(), only(), &["secret=xyzzy,tenant=acme"], 1),
        ("off at the sender", BaggagePolicy::off(), BaggagePolicy::all(), &[], 0),
        ("off at the receiver", BaggagePolicy::all(), BaggagePolicy::off(), &["secret=xyzzy,tenant=acme"], 0),
    ] {
        bench.capture.clear();
        let producer = bench.transport.producer(&bench.shop().baggage(sending));
        let mut consumer = bench.transport.consumer(&bench.warehouse().baggage(receiving)).await?;
        bench.transport.publish(&producer, b"7", T::plain()).with_context(context.clone()).await?;
        let seen = bench.look(&mut consumer).await?;
        assert_eq!(T::header(&seen.arrived.native, "baggage"), on_the_wire, "{case}");
        let members = seen.context.baggage();
        assert_eq!(members.len(), in_the_handler, "{case}: {members:?}");
        assert_eq!(members.get("secret").is_some(), in_the_handler == 2, "{case}");
        assert_eq!(bench.processed().parent_id(), Some(bench.published().span_id()), "{case}");
        bench.transport.close(consumer).await?;
    }
    Ok(())
}

/// A message's baggage ends with its handler: the next message does not have it, nor has the consumer's loop, whose own baggage is not the
/// message's either.
pub async fn baggage_never_leaks_into_the_next_message<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let with = Context::new().with_baggage([baggage("tenant", "acme")]);
    bench.publish("7", T::plain()).with_context(with).await?;
    bench.publish("8", T::plain()).await?;
    bench.transport.publish_bare(b"9", T::plain()).await?;

    let worker = Context::new().with_baggage([baggage("worker", "3")]);
    let members = async {
        let mut members = Vec::new();
        for _ in 0..3 {
            let seen = bench.look(&mut consumer).await?;
            members.push(seen.context.baggage().iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>());
            assert_eq!(Context::current().baggage().len(), 1, "the loop's own, and nothing of the message's");
        }
        anyhow::Ok(members)
    }
    .with_context(worker)
    .await?;
    assert_eq!(members, [vec!["tenant".to_owned()], Vec::new(), Vec::new()]);
    Ok(())
}
