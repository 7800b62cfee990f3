//! Many messages and tasks at the same time, and the loops around them.

use crate::bench::{cannot, linked, see};
use crate::{Ability, Bench, Settle, Transport, soon};
use anyhow::Result;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, Value};
use std::collections::HashMap;
use std::convert::Infallible;
use tokio::task::JoinSet;

const MESSAGES: usize = 200;
const TASKS: usize = 8;

/// 200 messages, published by eight tasks and handled in a task each while all others run: every handler's span is below its own message's
/// publish span, and sees its own message's baggage.
pub async fn concurrent_messages_never_see_each_others_context<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    let producer = bench.transport.producer(&bench.shop());
    let mut publishers = JoinSet::new();
    for task in 0..TASKS {
        let (transport, producer, tracer) = (bench.transport.clone(), producer.clone(), bench.shop_tracer());
        publishers.spawn(async move {
            for number in (task..MESSAGES).step_by(TASKS) {
                let name = number.to_string();
                let span = tracer.start(format!("checkout {name}"));
                let context = Context::new().with_span(span).with_baggage([crate::bench::baggage("order", &name)]);
                transport.publish(&producer, name.as_bytes(), T::plain()).with_context(context).await?;
            }
            anyhow::Ok(())
        });
    }
    let mut handlers = JoinSet::new();
    for _ in 0..MESSAGES {
        let delivery = soon(T::next(&mut consumer)).await??;
        let tracer = bench.warehouse_tracer();
        handlers.spawn(T::process(delivery, Settle::Done, async move |arrived| {
            let order = String::from_utf8_lossy(&arrived.payload).into_owned();
            for _ in 0..4 {
                tokio::task::yield_now().await;
                let baggage = Context::current().baggage().get("order").map(ToString::to_string);
                assert_eq!(baggage.as_deref(), Some(&*order), "another message's baggage");
            }
            tracer.in_span(format!("handle {order}"), |_| ());
            Ok::<_, Infallible>(())
        }));
    }
    while let Some(published) = publishers.join_next().await {
        published??;
    }
    while let Some(handled) = handlers.join_next().await {
        handled??;
    }

    bench.capture.assert_no_open_spans();
    let spans = bench.capture.spans();
    assert_eq!(spans.len(), 4 * MESSAGES);
    let by_id: HashMap<_, _> = spans.iter().map(|span| (Some(span.span_id()), span)).collect();
    let names = bench.transport.spans();
    for number in 0..MESSAGES {
        let handle = bench.capture.span(&format!("handle {number}"));
        let process = by_id[&handle.parent_id()];
        let publish = by_id[&process.parent_id()];
        let checkout = by_id[&publish.parent_id()];
        let path = [process.name(), publish.name(), checkout.name()];
        assert_eq!(path, [&*names.process, &*names.publish, &*format!("checkout {number}")]);
        assert_eq!(linked(process).iter().map(|link| link.span_id()).collect::<Vec<_>>(), [publish.span_id()]);
        assert_eq!(handle.trace_id(), checkout.trace_id());
    }
    Ok(())
}

/// A worker whose loop runs inside a span keeps each message in its own trace: the loop's span is no parent, and no link either where it was
/// current already when the consumer was made.
pub async fn an_instrumented_worker_loop_does_not_collect_the_messages_in_one_trace<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    for (made_inside, links_of_loop) in [(true, 0), (false, 1)] {
        bench.capture.clear();
        let worker = Context::new().with_span(bench.warehouse_tracer().start("worker"));
        let settings = bench.warehouse();
        let made = bench.transport.consumer(&settings);
        let mut consumer = if made_inside { made.with_context(worker.clone()).await? } else { made.await? };
        for _ in 0..2 {
            bench.publish("7", T::plain()).await?;
        }
        async {
            for _ in 0..2 {
                bench.look(&mut consumer).await?;
            }
            anyhow::Ok(())
        }
        .with_context(worker.clone())
        .await?;
        worker.span().end();

        let spans = bench.transport.spans();
        let (published, processed) = (bench.named(&spans.publish), bench.named(&spans.process));
        let worker = bench.capture.span("worker");
        assert_eq!((published.len(), processed.len()), (2, 2));
        for (publish, process) in published.iter().zip(&processed) {
            assert_eq!(process.parent_id(), Some(publish.span_id()), "made inside: {made_inside}");
            assert_ne!(process.trace_id(), worker.trace_id());
            let loops = linked(process).iter().filter(|link| link.span_id() == worker.span_id()).count();
            assert_eq!(loops, links_of_loop, "made inside: {made_inside}: links of the loop's span");
            assert_eq!(linked(process).len(), 1 + links_of_loop);
        }
        bench.transport.close(consumer).await?;
    }
    Ok(())
}

/// A message without a context in an instrumented loop starts a trace: it is not the loop's child.
pub async fn a_bare_message_in_an_instrumented_loop_starts_a_trace_of_its_own<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let worker = Context::new().with_span(bench.warehouse_tracer().start("worker"));
    let settings = bench.warehouse();
    let mut consumer = bench.transport.consumer(&settings).with_context(worker.clone()).await?;
    bench.transport.publish_bare(b"7", T::plain()).await?;
    bench.look(&mut consumer).with_context(worker.clone()).await?;
    worker.span().end();
    let (process, worker) = (bench.processed(), bench.capture.span("worker"));
    assert_eq!((process.parent_id(), process.links().len()), (None, 0));
    assert_ne!(process.trace_id(), worker.trace_id());
    Ok(())
}

/// Whoever asks for one message inside a span gets the processing below that span, with a link to where the message was created; without a
/// span it is the creation context's child.
pub async fn a_single_pull_inside_a_span_belongs_to_that_span_and_links_the_creation<T: Transport>() -> Result<()> {
    if cannot::<T>("a single pull", Ability::Pull) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    bench.publish("7", T::plain()).await?;
    let request = Context::new().with_span(bench.warehouse_tracer().start("request"));
    let settings = bench.warehouse();
    async {
        let delivery = soon(bench.transport.pull(&settings)).await??;
        see::<T>(delivery, Settle::Done).await
    }
    .with_context(request.clone())
    .await?;
    request.span().end();
    bench.assert_trace(
        "
        PUBLISH       shop       PRODUCER
        request       warehouse  INTERNAL
        └─ PROCESS    warehouse  CONSUMER  → PUBLISH
        ",
    );

    bench.capture.clear();
    bench.publish("8", T::plain()).await?;
    let delivery = soon(bench.transport.pull(&settings)).await??;
    see::<T>(delivery, Settle::Done).await?;
    bench.assert_trace(
        "
        PUBLISH       shop       PRODUCER
        └─ PROCESS    warehouse  CONSUMER  → PUBLISH
        ",
    );
    Ok(())
}

/// Processing runs inside a task of its own, on whichever thread, with the span's context at every step.
pub async fn a_message_can_be_processed_in_a_task_of_its_own<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.publish("7", T::plain()).await?;
    let delivery = soon(T::next(&mut consumer)).await??;
    let tracer = bench.warehouse_tracer();
    let task = tokio::spawn(T::process(delivery, Settle::Done, async move |_| {
        for step in 0..3 {
            tokio::task::yield_now().await;
            tracer.in_span(format!("step {step}"), |_| ());
        }
        // The documented way to take the context along.
        let inner = tracer.clone();
        let spawned = async move { inner.in_span("spawned", |_| ()) };
        tokio::spawn(spawned.with_current_context()).await.map_err(|error| error.to_string())
    }));
    soon(task).await??.map_err(anyhow::Error::msg)?;
    bench.assert_trace(
        "
        PUBLISH          shop       PRODUCER
        └─ PROCESS       warehouse  CONSUMER  → PUBLISH
           ├─ step 0     warehouse  INTERNAL
           ├─ step 1     warehouse  INTERNAL
           ├─ step 2     warehouse  INTERNAL
           └─ spawned    warehouse  INTERNAL
        ",
    );
    assert_eq!(bench.processed().attribute("messaging.system"), Some(&Value::from(T::SYSTEM)));
    Ok(())
}
