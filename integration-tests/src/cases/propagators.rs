//! Any propagator travels through the adapter's carrier.

use crate::{Bench, Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_propagator_b3::{B3Encoding, Propagator as B3};
use opentelemetry_sdk::propagation::BaggagePropagator;
use std::convert::Infallible;
use traced_envelope::propagation::W3cPropagator;

/// OpenTelemetry's B3 propagator writes the several headers beside the single one.
const B3_FIELDS: [&str; 4] = ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"];

/// The native form of what a handler saw, and the baggage member `tenant` in it.
async fn through<T: Transport, P>(bench: &Bench<T>, propagator: impl Fn() -> P) -> Result<(T::Native, Option<String>)>
where
    P: TextMapPropagator + Send + Sync + 'static,
{
    bench.capture.clear();
    let producer = bench.transport.producer(&bench.shop().propagator(propagator()));
    let mut consumer = bench.transport.consumer(&bench.warehouse().propagator(propagator())).await?;
    let context = Context::new().with_baggage([crate::bench::baggage("tenant", "acme")]);
    bench.transport.publish(&producer, b"7", T::rich()).with_context(context).await?;
    let delivery = soon(T::next(&mut consumer)).await??;
    let seen = T::process(delivery, Settle::Done, async |arrived| {
        Ok::<_, Infallible>((arrived.native, Context::current().baggage().get("tenant").map(ToString::to_string)))
    });
    let seen = seen.await?;
    bench.transport.close(consumer).await?;
    let (publish, process) = (bench.published(), bench.processed());
    assert_eq!((process.parent_id(), process.trace_id()), (Some(publish.span_id()), publish.trace_id()));
    assert!(process.parent_is_remote());
    Ok(seen)
}

/// B3 in one header and in several: the trace goes on, and no header of the W3C's is written.
pub async fn b3_headers_carry_the_trace<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let (native, _) = through(&bench, || B3::with_encoding(B3Encoding::SingleHeader)).await?;
    let publish = bench.published();
    assert_eq!(T::header(&native, "b3"), [format!("{}-{}-1", publish.trace_id(), publish.span_id())]);
    assert_eq!(T::without(&native, &B3_FIELDS), T::rich());

    let (native, _) = through(&bench, || B3::with_encoding(B3Encoding::MultipleHeader)).await?;
    let publish = bench.published();
    assert_eq!(T::header(&native, "x-b3-traceid"), [publish.trace_id().to_string()]);
    assert_eq!(T::header(&native, "x-b3-spanid"), [publish.span_id().to_string()]);
    assert_eq!(T::header(&native, "traceparent"), [""; 0]);
    Ok(())
}

/// Several propagators at once: each writes its headers, and baggage comes along.
pub async fn a_composite_propagator_writes_all_its_headers<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let composite = || {
        TextMapCompositePropagator::new(vec![
            Box::new(B3::with_encoding(B3Encoding::SingleHeader)),
            Box::new(W3cPropagator::without_baggage()),
            Box::new(BaggagePropagator::new()),
        ])
    };
    let (native, tenant) = through(&bench, composite).await?;
    let publish = bench.published();
    let (trace, span) = (publish.trace_id(), publish.span_id());
    assert_eq!(T::header(&native, "traceparent"), [format!("00-{trace}-{span}-01")]);
    assert_eq!(T::header(&native, "b3"), [format!("{trace}-{span}-1")]);
    assert_eq!(T::header(&native, "baggage"), ["tenant=acme"]);
    assert_eq!(tenant.as_deref(), Some("acme"));
    assert_eq!(T::without(&T::without(&native, &B3_FIELDS), &["traceparent", "baggage"]), T::rich());
    Ok(())
}
