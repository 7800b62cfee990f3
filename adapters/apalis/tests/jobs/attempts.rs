//! Attempts that a worker makes by itself.

use crate::support::{SendEmail, email, memory, until_ended};
use apalis::layers::retry::RetryPolicy;
use apalis::prelude::WorkerBuilderExt as _;
use apalis_core::backend::TaskSink as _;
use apalis_core::error::BoxDynError;
use apalis_core::task::attempt::Attempt;
use apalis_core::worker::builder::WorkerBuilder;
use traced_apalis::envelope::testing::{Capture, CapturedMetric};
use traced_apalis::{Relation, TracedConsumer, apalis_core};

/// Fails at the first attempt.
async fn second_time_lucky(_: SendEmail, attempt: Attempt) -> Result<(), BoxDynError> {
    if attempt.current() == 1 { Err("greylisted".into()) } else { Ok(()) }
}

#[tokio::test]
async fn a_workers_own_retries_run_inside_one_span() -> Result<(), BoxDynError> {
    let capture = Capture::new();
    let mut queue = memory(&capture.settings("shop"));
    queue.push(email()).await?;
    let worker = WorkerBuilder::new("mailer").backend(queue).retry(RetryPolicy::retries(3)).build(second_time_lucky);
    worker.run_until(until_ended(&capture, 2)).await?;
    capture.assert_trace(
        "
        push SendEmail        shop  PRODUCER
        └─ process SendEmail  shop  CONSUMER  → push SendEmail  {traced.message.attempt=1, apalis.outcome=ok}
        ",
    );
    Ok(())
}

#[tokio::test]
async fn a_layer_that_is_added_last_makes_a_span_for_each_attempt_and_the_outer_one_stands_aside()
-> Result<(), BoxDynError> {
    for relation in [Relation::Auto, Relation::Parent] {
        let capture = Capture::new();
        let settings = capture.settings("shop").relation(relation);
        let mut queue = memory(&settings);
        queue.push(email()).await?;
        let attempts = TracedConsumer::with_settings(&settings).system("memory").layer();
        let worker = WorkerBuilder::new("mailer")
            .backend(queue)
            .retry(RetryPolicy::retries(3))
            .concurrency(1)
            .layer(attempts)
            .build(second_time_lucky);
        worker.run_until(until_ended(&capture, 3)).await?;
        capture.assert_trace(if relation == Relation::Parent {
            "
            push SendEmail        shop  PRODUCER
            ├─ process SendEmail  shop  CONSUMER  → push SendEmail  ✗ _OTHER  {apalis.attempt=1, apalis.outcome=error}
            └─ process SendEmail  shop  CONSUMER  → push SendEmail  {apalis.attempt=2, apalis.outcome=ok}
            "
        } else {
            "
            push SendEmail        shop  PRODUCER
            └─ process SendEmail  shop  CONSUMER  → push SendEmail  ✗ _OTHER  {apalis.attempt=1}
            process SendEmail     shop  CONSUMER  → push SendEmail  {apalis.attempt=2}
            "
        });
    }
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_one_message_with_one_wait_whatever_attempts_are_made_of_it() -> Result<(), BoxDynError> {
    for wrapped in [true, false] {
        let capture = Capture::new();
        let settings = capture.settings("mailer");
        let mut queue = memory(&settings);
        queue.push(email()).await?;
        queue.get_mut().push(email()).await?; // without a context
        let traced = TracedConsumer::with_settings(&settings).system("memory");
        // The worker's own order of layers is the same for both.
        macro_rules! work {
            ($worker:expr) => {
                let worker = $worker.retry(RetryPolicy::retries(3)).layer(traced.layer()).build(second_time_lucky);
                worker.run_until(until_ended(&capture, 5)).await?;
            };
        }
        if wrapped {
            work!(WorkerBuilder::new("mailer").backend(queue));
        } else {
            work!(WorkerBuilder::new("mailer").backend(queue.into_inner()).layer(traced.layer()));
        }
        let metrics = capture.metrics();
        let named = |name: &'static str| metrics.iter().filter(move |metric| metric.name() == name);
        let consumed = named("messaging.client.consumed.messages").map(CapturedMetric::value).sum::<f64>();
        let waits = named("traced.message.wait.duration").filter_map(CapturedMetric::count).sum::<u64>();
        let missing = named("traced.context.missing").map(CapturedMetric::value).sum::<f64>();
        let timed = named("messaging.process.duration").filter_map(CapturedMetric::count).sum::<u64>();
        // One of the two jobs says when it was pushed.
        assert_eq!((consumed, waits, missing, timed), (2.0, 1, 1.0, 4), "wrapped: {wrapped}");
        let spans = capture.spans();
        let waited = spans.iter().filter(|span| span.attribute("traced.message.wait.duration").is_some());
        assert_eq!(waited.map(|span| span.attribute("apalis.attempt").cloned()).collect::<Vec<_>>(), [Some(1.into())]);
    }
    Ok(())
}
