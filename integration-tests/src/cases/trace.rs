//! One trace from end to end.

use crate::{Bench, Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use std::convert::Infallible;
use traced_envelope::testing::Capture;
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt as _;

const DRAWING: &str = "
    checkout                shop       INTERNAL
    └─ PUBLISH              shop       PRODUCER
       └─ PROCESS           warehouse  CONSUMER  → PUBLISH
          └─ reserve stock  warehouse  INTERNAL
";

/// The application's span, ours on both sides, and the handler's own are one trace of two services, one below the other.
pub async fn one_trace_from_publisher_to_handler<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;

    let checkout = Context::new().with_span(bench.shop_tracer().start("checkout"));
    bench.publish("7", T::plain()).with_context(checkout.clone()).await?;
    checkout.span().end();

    let tracer = bench.warehouse_tracer();
    let delivery = soon(T::next(&mut consumer)).await??;
    let payload = T::process(delivery, Settle::Done, async move |arrived| {
        tokio::task::yield_now().await;
        tracer.in_span("reserve stock", |_| ());
        Ok::<_, Infallible>(arrived.payload)
    });
    assert_eq!(payload.await?, b"7");

    bench.assert_trace(DRAWING);
    bench.capture.assert_one_trace();
    let (publish, process) = (bench.published(), bench.processed());
    assert_eq!((publish.service(), publish.kind()), ("shop", SpanKind::Producer));
    assert_eq!((process.service(), process.kind()), ("warehouse", SpanKind::Consumer));
    assert_eq!(publish.parent_id(), Some(bench.capture.span("checkout").span_id()));
    assert_eq!(process.parent_id(), Some(publish.span_id()));
    assert!(process.parent_is_remote(), "the parent came over the wire");
    assert_eq!((publish.scope().name(), process.scope().name()), (T::NAME, T::NAME));
    Ok(())
}

/// The same where the application's and the handler's spans are `tracing`'s, with tracing-opentelemetry as it comes.
pub async fn one_trace_with_tracing_spans<T: Transport>() -> Result<()> {
    with_tracing_spans::<T>(true).await
}

/// The same where the application switched tracing-opentelemetry's context activation off: then only `tracing` knows the current span.
pub async fn one_trace_with_tracing_spans_that_activate_no_context<T: Transport>() -> Result<()> {
    with_tracing_spans::<T>(false).await
}

async fn with_tracing_spans<T: Transport>(activation: bool) -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let subscriber = |service| {
        tracing_subscriber::registry().with(layer(&bench.capture, service).with_context_activation(activation))
    };

    async {
        let checkout = tracing::info_span!("checkout");
        bench.publish("7", T::plain()).instrument(checkout).await
    }
    .with_subscriber(subscriber("shop"))
    .await?;

    let delivery = soon(T::next(&mut consumer)).await??;
    T::process(delivery, Settle::Done, async |_| {
        let reserve = tracing::info_span!("reserve stock");
        async {
            tokio::task::yield_now().await;
            tracing::info!("reserved");
        }
        .instrument(reserve)
        .await;
        tracing::info!("all done");
        Ok::<_, Infallible>(())
    })
    .with_subscriber(subscriber("warehouse"))
    .await?;

    bench.assert_trace(DRAWING);
    bench.capture.assert_one_trace();
    let events = |name: &str| {
        // Clients log inside the handler too.
        let ours = |event: &opentelemetry::trace::Event| {
            event.attributes.iter().any(|it| it.key.as_str() == "target" && it.value.as_str() == module_path!())
        };
        let span = bench.capture.span(name);
        span.events().iter().filter(|event| ours(event)).map(|event| event.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(events("reserve stock"), ["reserved"]);
    assert_eq!(events(&bench.transport.spans().process), ["all done"], "a bare event belongs to the process span");
    Ok(())
}

fn layer<S>(
    capture: &Capture,
    service: &str,
) -> tracing_opentelemetry::OpenTelemetryLayer<S, opentelemetry_sdk::trace::SdkTracer>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    capture.layer(service)
}
