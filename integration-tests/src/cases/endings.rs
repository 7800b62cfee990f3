//! How handlers end: with an error, a panic, or not at all.

use crate::bench::{cannot, see};
use crate::{Ability, Bench, Settle, Transport, soon};
use anyhow::{Context as _, Result};
use opentelemetry::Context;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{KeyValue, Value};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use tokio::sync::oneshot;

/// An error of the application's, to be told from all others by its address.
#[derive(Debug)]
struct OutOfStock(Arc<()>);

impl fmt::Display for OutOfStock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no item 42 left")
    }
}

impl std::error::Error for OutOfStock {}

/// The caller gets the very error that the handler returned; the span has its text as status and its type as `error.type`. A handler that
/// succeeds leaves the status unset.
pub async fn a_failing_handlers_error_comes_back_unchanged_and_is_on_the_span<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.publish("7", T::plain()).await?;
    let delivery = soon(T::next(&mut consumer)).await??;
    let identity = Arc::new(());
    let error = OutOfStock(Arc::clone(&identity));
    let result: Result<(), OutOfStock> = T::process(delivery, Settle::Done, async move |_| Err(error)).await;
    assert!(Arc::ptr_eq(&result.expect_err("the handler's error").0, &identity), "not the handler's own error");

    let process = bench.processed();
    assert_eq!(*process.status(), Status::error("no item 42 left"));
    let typed = T::lacks(Ability::TypedErrors).is_none();
    let kind = if typed { std::any::type_name::<OutOfStock>() } else { "_OTHER" };
    assert_eq!(process.attribute("error.type"), Some(&Value::from(kind)));
    assert!(process.events().is_empty(), "exceptions are log events, not span events");
    assert_eq!(*bench.published().status(), Status::Unset, "the publisher's span knows nothing of it");
    let failed = bench.capture.metric("messaging.process.duration");
    assert_eq!((failed.attribute("error.type"), failed.count()), (Some(&Value::from(kind)), Some(1)));

    bench.capture.clear();
    bench.publish("8", T::plain()).await?;
    bench.look(&mut consumer).await?;
    let process = bench.processed();
    assert_eq!((process.status(), process.attribute("error.type")), (&Status::Unset, None));
    Ok(())
}

/// An application's name for its errors goes before the type; erased errors are `_OTHER`.
pub async fn an_error_has_the_name_that_the_application_gives_it<T: Transport>() -> Result<()> {
    if cannot::<T>("an error's name", Ability::TypedErrors) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let settings = bench.warehouse().on_error(|error| error.downcast_ref::<OutOfStock>().map(|_| "out_of_stock"));
    let mut consumer = bench.transport.consumer(&settings).await?;
    let mut kinds = Vec::new();
    for erased in [false, true] {
        bench.capture.clear();
        bench.publish("7", T::plain()).await?;
        let delivery = soon(T::next(&mut consumer)).await??;
        let error = OutOfStock(Arc::default());
        if erased {
            let result: Result<()> = T::process(delivery, Settle::Done, async move |_| Err(error.into())).await;
            assert!(result.is_err_and(|error| error.is::<OutOfStock>()));
        } else {
            let result: Result<(), _> = T::process(delivery, Settle::Done, async move |_| Err(error)).await;
            assert!(result.is_err());
        }
        kinds.push(bench.processed().attribute("error.type").map(ToString::to_string).unwrap_or_default());
    }
    assert_eq!(kinds, ["out_of_stock", "_OTHER"]);
    Ok(())
}

/// A handler's panic is on its span, and goes on; no context stays attached, and the next message's span knows nothing of it.
pub async fn a_panic_in_the_handler_is_recorded_and_propagated_and_leaves_nothing_behind<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.publish("7", T::plain()).await?;
    let delivery = soon(T::next(&mut consumer)).await??;
    // Caught on the very task, so that a context that is left behind would be seen.
    let handled = T::process(delivery, Settle::Done, async |_| -> Result<(), Infallible> {
        tokio::task::yield_now().await;
        // Past the hook, which would print a backtrace into the report.
        std::panic::resume_unwind(Box::new("the shelf fell down"));
    });
    let caught = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(handled)).await;
    let panic = caught.err().context("the panic was swallowed")?;
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the shelf fell down"), "the panic's own payload");
    assert!(!Context::current().has_active_span(), "a context is still attached");

    let process = bench.processed();
    assert!(process.is_error());
    assert_eq!(process.attribute("error.type"), Some(&Value::from("panic")));
    bench.capture.assert_no_open_spans();

    bench.capture.clear();
    bench.publish("8", T::plain()).await?;
    let seen = bench.look(&mut consumer).await?;
    let (publish, process) = (bench.published(), bench.processed());
    assert_eq!(seen.arrived.payload, b"8");
    assert_eq!((process.parent_id(), process.is_error()), (Some(publish.span_id()), false));
    Ok(())
}

/// A handler dropped in the middle, by a time limit or because its task is aborted, ends its one span as `cancelled`.
pub async fn a_handler_dropped_in_the_middle_ends_its_one_span_as_cancelled<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    for aborted in [false, true] {
        bench.capture.clear();
        bench.publish("7", T::plain()).await?;
        let delivery = soon(T::next(&mut consumer)).await??;
        let (started, in_the_middle) = oneshot::channel();
        let handled = T::process(delivery, Settle::Done, async move |_| {
            let _ = started.send(());
            std::future::pending::<Result<(), Infallible>>().await
        });
        if aborted {
            let task = tokio::spawn(handled);
            soon(in_the_middle).await??;
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        } else {
            tokio::select! {
                _ = handled => panic!("it never ends"),
                started = soon(in_the_middle) => started??,
            }
        }
        let process = bench.processed();
        assert_eq!(process.attribute("error.type"), Some(&Value::from("cancelled")), "aborted: {aborted}");
        assert!(process.is_error());
        assert_eq!(process.parent_id(), Some(bench.published().span_id()));
        bench.capture.assert_no_open_spans();
        assert!(!Context::current().has_active_span(), "a context is still attached");
    }

    // A message that nobody processes has no span.
    bench.capture.clear();
    bench.publish("8", T::plain()).await?;
    drop(soon(T::next(&mut consumer)).await??);
    assert!(bench.named(&bench.transport.spans().process).is_empty());
    Ok(())
}

/// A message that goes back is delivered again: the second attempt says so, and is the same creation context's child.
pub async fn a_redelivered_message_counts_its_attempt_below_the_same_creation_context<T: Transport>() -> Result<()> {
    if cannot::<T>("redelivery", Ability::Redeliver) {
        return Ok(());
    }
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.publish("7", T::rich()).await?;
    let first = see::<T>(soon(T::next(&mut consumer)).await??, Settle::Again).await?;
    let again = see::<T>(soon(T::next(&mut consumer)).await??, Settle::Done).await?;
    assert_eq!(T::header(&first.arrived.native, "traceparent"), T::header(&again.arrived.native, "traceparent"));

    bench.assert_trace(
        "
        PUBLISH       shop       PRODUCER
        ├─ PROCESS    warehouse  CONSUMER  → PUBLISH  {traced.message.attempt=1}
        └─ PROCESS    warehouse  CONSUMER  → PUBLISH  {traced.message.attempt=2}
        ",
    );
    let attempts: Vec<_> =
        bench.named(&bench.transport.spans().process).iter().map(|span| attempt(span.attributes())).collect();
    assert_eq!(attempts, [Some(Value::I64(1)), Some(Value::I64(2))], "in this order");
    Ok(())
}

fn attempt(attributes: &[KeyValue]) -> Option<Value> {
    attributes.iter().find(|it| it.key.as_str() == "traced.message.attempt").map(|it| it.value.clone())
}
