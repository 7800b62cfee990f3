//! The process-wide providers and propagator: none, late, or installed. Each case has a process of its own.

use super::headers::{FOREIGN, FOREIGN_SPAN, FOREIGN_TRACE};
use crate::bench::see;
use crate::{Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, global};
use opentelemetry_propagator_b3::{B3Encoding, Propagator as B3};
use traced_envelope::Settings;
use traced_envelope::testing::Capture;

/// A service without any SDK, and without a propagator installed, passes on what it received: the next service gets the same context,
/// tracestate and baggage, byte by byte.
pub async fn without_an_sdk_context_and_baggage_pass_through<T: Transport>() -> Result<()> {
    let transport = T::shared().await?;
    let mut consumer = transport.consumer(&Settings::default()).await?;
    let producer = transport.producer(&Settings::default());
    let traceparent = FOREIGN.replace("-01", "-03");
    let headers =
        [("traceparent", &*traceparent), ("tracestate", "vendor=1"), ("baggage", "tenant=a%20b%2Bc%3D1%20%C3%BC%25")];
    transport.publish_bare(b"7", T::with_headers(T::plain(), &headers)).await?;

    let delivery = soon(T::next(&mut consumer)).await??;
    let next = transport.clone();
    let in_the_handler = T::process(delivery, Settle::Done, async move |_| {
        tokio::task::yield_now().await;
        let context = Context::current();
        next.publish(&producer, b"8", T::rich()).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((
            context.span().span_context().trace_id().to_string(),
            context.baggage().get("tenant").map(ToString::to_string),
        ))
    });
    let (trace, tenant) = in_the_handler.await.map_err(anyhow::Error::msg)?;
    assert_eq!((&*trace, tenant.as_deref()), (FOREIGN_TRACE, Some("a b+c=1 ü%")));

    let seen = see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    let arrived = T::without(&seen.arrived.native, &[]);
    assert_eq!(arrived, T::with_headers(T::rich(), &headers), "the same headers, and the user's");
    assert!(!Context::current().has_active_span());
    Ok(())
}

/// Without an SDK and without a context, nothing of ours is on the message.
pub async fn without_an_sdk_and_a_context_messages_are_left_alone<T: Transport>() -> Result<()> {
    let transport = T::shared().await?;
    let mut consumer = transport.consumer(&Settings::default()).await?;
    let producer = transport.producer(&Settings::default());
    transport.publish(&producer, b"7", T::rich()).await?;
    let seen = see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    assert_eq!(seen.arrived.native, T::rich());
    assert!(!seen.context.has_active_span());
    Ok(())
}

/// Producer and consumer that were made, and used, before the application set its providers: from then on there are spans and metrics, below
/// a remote parent and without one, and none that was only started to look.
pub async fn providers_set_late_are_used_from_then_on<T: Transport>() -> Result<()> {
    let transport = T::shared().await?;
    let mut consumer = transport.consumer(&Settings::default()).await?;
    let producer = transport.producer(&Settings::default());
    // Used before: with a parent, which the no-op tracer hands back as if it were a span of its own, and without.
    transport.publish(&producer, b"early", T::plain()).await?;
    see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    transport.publish_bare(b"early", T::with_headers(T::plain(), &[("traceparent", FOREIGN)])).await?;
    see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;

    let capture = Capture::new();
    global::set_tracer_provider(capture.tracer_provider("service"));
    global::set_meter_provider(capture.meter_provider("service"));

    // A remote parent first: the tracer that is kept is found by this very span.
    transport.publish_bare(b"late", T::with_headers(T::plain(), &[("traceparent", FOREIGN)])).await?;
    see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    let names = transport.spans();
    let process = capture.span(&names.process);
    assert_eq!(process.trace_id().to_string(), FOREIGN_TRACE);
    assert_eq!(process.parent_id().map(|id| id.to_string()).as_deref(), Some(FOREIGN_SPAN));
    assert_eq!(capture.spans().len(), 1, "a span was exported that is nobody's: {:?}", capture.spans());

    // Then roots, and a local parent.
    transport.publish(&producer, b"late", T::plain()).await?;
    see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    let checkout = Context::new().with_span(global::tracer("app").start("checkout"));
    transport.publish(&producer, b"late", T::plain()).with_context(checkout.clone()).await?;
    checkout.span().end();
    see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;

    let drawing = "
        PROCESS          service  CONSUMER  ⇠ remote parent  → ?
        PUBLISH          service  PRODUCER
        └─ PROCESS       service  CONSUMER  → PUBLISH
        checkout         service  INTERNAL
        └─ PUBLISH       service  PRODUCER
           └─ PROCESS    service  CONSUMER  → PUBLISH
    ";
    capture.assert_trace(&drawing.replace("PUBLISH", &names.publish).replace("PROCESS", &names.process));
    let counted = |name| capture.metric(name).value();
    assert_eq!(counted("messaging.client.sent.messages"), 2.0);
    assert_eq!(counted("messaging.client.consumed.messages"), 3.0);
    Ok(())
}

/// The same where the very first message after the providers are set has no parent at all.
pub async fn providers_set_late_are_used_for_a_first_message_without_a_parent<T: Transport>() -> Result<()> {
    let transport = T::shared().await?;
    let mut consumer = transport.consumer(&Settings::default()).await?;
    let producer = transport.producer(&Settings::default());
    let capture = Capture::new();
    global::set_tracer_provider(capture.tracer_provider("service"));
    global::set_meter_provider(capture.meter_provider("service"));
    transport.publish(&producer, b"7", T::plain()).await?;
    see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    let names = transport.spans();
    capture.assert_trace(&format!(
        "{}  service  PRODUCER\n└─ {}  service  CONSUMER  → {}",
        names.publish, names.process, names.publish
    ));
    assert_eq!(capture.metric("messaging.client.sent.messages").value(), 1.0);
    Ok(())
}

/// With providers but no propagator installed, the commonest mistake, contexts travel as the W3C's headers; once one is installed, also
/// after producer and consumer were used, the process's choice holds.
pub async fn a_forgotten_propagator_breaks_no_trace_and_an_installed_one_is_used<T: Transport>() -> Result<()> {
    let transport = T::shared().await?;
    let capture = Capture::new();
    global::set_tracer_provider(capture.tracer_provider("service"));
    let mut consumer = transport.consumer(&Settings::default()).await?;
    let producer = transport.producer(&Settings::default());
    let names = transport.spans();
    for (installed, header) in [(false, "traceparent"), (true, "b3")] {
        if installed {
            global::set_text_map_propagator(B3::with_encoding(B3Encoding::SingleHeader));
        }
        capture.clear();
        transport.publish(&producer, b"7", T::plain()).await?;
        let seen = see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
        assert_eq!(capture.span(&names.process).parent_id(), Some(capture.span(&names.publish).span_id()));
        for name in ["traceparent", "b3"] {
            assert_eq!(T::header(&seen.arrived.native, name).len(), usize::from(name == header), "{name}, {installed}");
        }
    }
    Ok(())
}
