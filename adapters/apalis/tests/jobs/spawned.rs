//! Handlers that run on a task of their own, and what a handler does before it has a future.

use crate::support::{SendEmail, email, memory, until_ended};
use apalis_core::backend::TaskSink as _;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::ext::parallelize::ParallelizeExt as _;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::Tracer as _;
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{TracedConsumer, apalis_core};

/// A worker's bounds in a function's signature would be longer than the test.
macro_rules! work {
    ($capture:ident, |$worker:ident, $settings:ident| $layered:expr) => {
        let $settings = $capture.settings("mailer");
        let mut queue = memory(&$settings);
        queue.push(email()).await?;
        let $worker = WorkerBuilder::new("mailer").backend(queue);
        let tracer = $capture.tracer("mailer");
        let worker = $layered.build(move |_: SendEmail| {
            let tracer = tracer.clone();
            async move {
                tokio::task::yield_now().await;
                tracer.in_span("render", |_| ());
            }
        });
        worker.run_until(until_ended(&$capture, 3)).await?;
    };
}

const ONE_TRACE: &str = "
    push SendEmail           mailer  PRODUCER
    └─ process SendEmail     mailer  CONSUMER  → push SendEmail
       └─ render             mailer  INTERNAL
";

#[tokio::test]
async fn a_spawned_handler_is_inside_a_layer_that_is_added_last() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    work!(capture, |worker, settings| {
        let traced = TracedConsumer::with_settings(&settings).system("memory").layer();
        worker.parallelize(tokio::spawn).layer(traced)
    });
    capture.assert_trace(ONE_TRACE);
    Ok(())
}

#[tokio::test]
async fn a_spawned_handler_can_take_the_context_along() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    work!(capture, |worker, settings| worker.parallelize(|job| tokio::spawn(FutureExt::with_current_context(job))));
    capture.assert_trace(ONE_TRACE);
    Ok(())
}

#[tokio::test]
async fn a_handler_that_is_only_spawned_is_outside_of_its_span() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    work!(capture, |worker, settings| worker.parallelize(tokio::spawn));
    capture.assert_trace(
        "
        push SendEmail           mailer  PRODUCER
        └─ process SendEmail     mailer  CONSUMER  → push SendEmail
        render                   mailer  INTERNAL
        ",
    );
    Ok(())
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn an_event_before_there_is_a_future_is_on_the_process_span() -> Result<(), BoxDynError> {
    use tracing::instrument::WithSubscriber as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("mailer"));
    queue.push(email()).await?;
    let worker = WorkerBuilder::new("mailer").backend(queue).build(|_: SendEmail| {
        tracing::info!(target: "mailer", "at once");
        async { tracing::info!(target: "mailer", "later") }
    });
    let subscriber = tracing_subscriber::registry().with(capture.layer("mailer"));
    worker.run_until(until_ended(&capture, 2)).with_subscriber(subscriber).await?;
    let span = capture.span("process SendEmail");
    let events = span.events().iter().map(|event| event.name.as_ref()).collect::<Vec<_>>();
    assert_eq!(events.iter().filter(|event| ["at once", "later"].contains(event)).count(), 2, "{events:?}");
    Ok(())
}
