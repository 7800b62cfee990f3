//! How a job ends, on its span and for apalis.

use crate::support::{SendEmail, email, memory, soon, until_ended};
use apalis::prelude::WorkerBuilderExt as _;
use apalis_core::backend::TaskSink as _;
use apalis_core::error::{AbortError, BoxDynError, DeferredError, RetryAfterError};
use apalis_core::task::context::TaskContext;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::event::Event;
use apalis_core::worker::ext::event_listener::EventListenerExt as _;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use traced_apalis::envelope::testing::{Capture, CapturedSpan};
use traced_apalis::{Settings, apalis_core};

#[derive(Debug)]
struct Declined;

impl fmt::Display for Declined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the card was declined")
    }
}

impl std::error::Error for Declined {}

/// Runs one job, and tells its span and the error that the worker heard of.
async fn run(
    handler: fn() -> Result<(), BoxDynError>,
) -> Result<(CapturedSpan, Option<Arc<BoxDynError>>), BoxDynError> {
    let capture = Capture::new();
    let settings = capture
        .settings("mailer")
        .on_error(|error| error.downcast_ref::<BoxDynError>()?.is::<Declined>().then_some("declined"));
    let mut queue = memory(&settings);
    queue.push(email()).await?;
    let heard = Arc::new(Mutex::new(None));
    let hearing = Arc::clone(&heard);
    let worker = WorkerBuilder::new("mailer")
        .backend(queue)
        .catch_panic()
        .on_event(move |_, event| {
            if let Event::Error(error) = event {
                *hearing.lock().unwrap() = Some(Arc::clone(error));
            }
        })
        .build(move |_: SendEmail| async move { handler() });
    worker.run_until(until_ended(&capture, 2)).await?;
    let heard = heard.lock().unwrap().take();
    Ok((capture.span("process SendEmail"), heard))
}

#[tokio::test]
async fn each_ending_has_its_outcome_and_only_failures_are_errors() -> Result<(), BoxDynError> {
    type Handler = fn() -> Result<(), BoxDynError>;
    let cases: [(Handler, &str, Option<&str>); 7] = [
        (|| Ok(()), "ok", None),
        (|| Err("no".into()), "error", Some("_OTHER")),
        (|| Err(Declined.into()), "error", Some("declined")),
        (|| Err(AbortError::new(Declined).into()), "abort", Some("abort")),
        (|| Err(RetryAfterError::new("later", Duration::from_secs(9)).into()), "deferred", None),
        (|| Err(DeferredError::new("later").into()), "deferred", None),
        (|| panic!("no paper"), "panic", Some("panic")),
    ];
    for (handler, outcome, kind) in cases {
        let (span, heard) = run(handler).await?;
        assert_eq!(span.attribute("apalis.outcome"), Some(&outcome.into()), "{span:?}");
        assert_eq!(span.attribute("error.type"), kind.map(Into::into).as_ref(), "{outcome}");
        assert_eq!(span.is_error(), kind.is_some(), "{outcome}");
        assert_eq!(heard.is_some(), outcome != "ok", "apalis hears what it would hear without us");
        let times = span.attributes().iter().filter(|it| it.key.as_str() == "apalis.outcome").count();
        assert_eq!(times, 1);
    }
    Ok(())
}

#[tokio::test]
async fn the_handlers_error_comes_through_unchanged() -> Result<(), BoxDynError> {
    let (span, heard) = run(|| Err(Declined.into())).await?;
    assert!(heard.is_some_and(|error| error.is::<Declined>()));
    assert_eq!(*span.status(), opentelemetry::trace::Status::error("the card was declined"));
    let (_, heard) = run(|| Err(RetryAfterError::new("later", Duration::from_secs(9)).into())).await?;
    let after = heard.as_ref().and_then(|error| error.downcast_ref::<RetryAfterError>());
    assert_eq!(after.map(RetryAfterError::get_duration), Some(Duration::from_secs(9)));
    Ok(())
}

#[tokio::test]
async fn a_panic_that_nobody_catches_is_on_the_span_and_goes_on() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    // Once in the handler's future, and once before there is one.
    for lazily in [true, false] {
        capture.clear();
        let mut queue = memory(&capture.settings("mailer"));
        queue.push(email()).await?;
        let worker = WorkerBuilder::new("mailer").backend(queue).build(move |_: SendEmail| {
            assert!(lazily, "no paper");
            async move {
                if lazily {
                    panic!("no paper")
                }
            }
        });
        let died = soon(tokio::spawn(worker.run())).await?.err().ok_or("the worker lives")?;
        assert!(died.is_panic());
        capture.assert_no_open_spans();
        let span = capture.span("process SendEmail");
        assert_eq!(span.attribute("error.type"), Some(&"panic".into()));
        assert_eq!(span.attribute("apalis.outcome"), Some(&"panic".into()), "lazily: {lazily}");
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_its_worker_leaves_in_the_middle_is_cancelled() -> Result<(), BoxDynError> {
    let (capture, started) = (Capture::new(), Arc::new(Notify::new()));
    let mut queue = memory(&capture.settings("mailer"));
    queue.push(email()).await?;
    let starting = Arc::clone(&started);
    let worker = WorkerBuilder::new("mailer").backend(queue).build(move |_: SendEmail| {
        let starting = Arc::clone(&starting);
        async move {
            starting.notify_one();
            std::future::pending::<()>().await;
        }
    });
    let running = tokio::spawn(worker.run());
    soon(started.notified()).await?;
    assert_eq!(capture.open_spans().len(), 1);
    running.abort();
    assert!(running.await.is_err());
    capture.assert_no_open_spans();
    let span = capture.span("process SendEmail");
    assert_eq!(span.attribute("error.type"), Some(&"cancelled".into()));
    assert_eq!(span.attribute("apalis.outcome"), Some(&"cancelled".into()));
    Ok(())
}

#[tokio::test]
async fn a_job_that_apalis_is_told_to_cancel_is_cancelled() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("mailer"));
    queue.push(email()).await?;
    let worker = WorkerBuilder::new("mailer").backend(queue).build(
        async |_: SendEmail, task: TaskContext| -> Result<(), BoxDynError> {
            task.cancel()?;
            tokio::task::yield_now().await;
            Ok(())
        },
    );
    worker.run_until(until_ended(&capture, 2)).await?;
    let span = capture.span("process SendEmail");
    assert_eq!(span.attribute("error.type"), Some(&"cancelled".into()));
    assert_eq!(span.attribute("apalis.outcome"), Some(&"cancelled".into()));
    let told = opentelemetry::trace::Status::error("AbortError: task exited after manually being canceled");
    assert_eq!(*span.status(), told);
    Ok(())
}

#[tokio::test]
async fn without_a_span_nothing_is_noted_on_somebody_elses() -> Result<(), BoxDynError> {
    use opentelemetry::context::FutureExt as _;
    use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
    let capture = Capture::new();
    let mut queue = memory(&Settings::default());
    queue.push(email()).await?;
    let done = Arc::new(Notify::new());
    let doing = Arc::clone(&done);
    let worker = WorkerBuilder::new("mailer").backend(queue).build(move |_: SendEmail| {
        let doing = Arc::clone(&doing);
        async move { doing.notify_one() }
    });
    let around = opentelemetry::Context::new().with_span(capture.tracer("mailer").start("main"));
    let until = async move { soon(done.notified()).await.map_err(std::io::Error::other) };
    worker.run_until(until).with_context(around.clone()).await?;
    around.span().end();
    assert!(capture.span("main").attributes().is_empty());
    Ok(())
}
