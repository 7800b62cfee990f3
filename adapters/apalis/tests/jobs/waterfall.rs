//! A request, its job, the job's second attempt and the job that it makes: one trace, and its picture.

use crate::often::Often;
use crate::support::{Database, SendEmail, email, soon};
use apalis_core::backend::TaskSink as _;
use apalis_core::backend::ext::BackendExt as _;
use apalis_core::error::BoxDynError;
use apalis_core::task::attempt::Attempt;
use apalis_core::task::data::Data;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_sqlite::{Config, SqliteStorage};
use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use traced_apalis::envelope::testing::Capture;
use traced_apalis::{Relation, TracedProducer, apalis_core};

type Receipts = TracedProducer<SqliteStorage<u64>>;

/// Fails at first; then there is a receipt to be filed.
async fn send_email(_: SendEmail, attempt: Attempt, receipts: Data<Receipts>) -> Result<(), BoxDynError> {
    if attempt.current() == 1 {
        return Err("greylisted".into());
    }
    let mut receipts = receipts.0;
    receipts.push(7).await?;
    Ok(())
}

#[tokio::test]
async fn a_request_its_retried_job_and_the_job_it_makes_are_one_trace() -> Result<(), BoxDynError> {
    let (database, capture) = (Database::new().await?, Capture::new());
    let settings = |service| capture.settings(service).relation(Relation::Parent);
    let receipts = |service| -> Receipts {
        let storage = SqliteStorage::new(&database.pool).with_config(Config::default().queue("receipts"));
        TracedProducer::with_settings(storage, &settings(service)).queue("receipts")
    };

    let tracer = capture.tracer("shop");
    let request = tracer.span_builder("POST /orders").with_kind(SpanKind::Server);
    let request = Context::new().with_span(request.start(&tracer));
    database.queue(&settings("shop")).push(email()).with_context(request.clone()).await?;
    request.span().end();

    let mailer = WorkerBuilder::new("mailer")
        .backend(database.queue(&settings("mailer")).poll_with_strategy(Often::default()))
        .data(receipts("mailer"))
        .build(send_email);
    let clerk = WorkerBuilder::new("clerk")
        .backend(receipts("clerk").poll_with_strategy(Often::default()))
        .build(async |receipt: u64| assert_eq!(receipt, 7));
    let working = [tokio::spawn(mailer.run()), tokio::spawn(clerk.run())];
    soon(capture.spans_ended(6)).await?;
    working.iter().for_each(|worker| worker.abort());

    capture.assert_trace(
        "
        POST /orders                    shop    SERVER
        └─ push emails                  shop    PRODUCER
           ├─ process emails            mailer  CONSUMER  → push emails  ✗ _OTHER  {apalis.attempt=1}
           └─ process emails            mailer  CONSUMER  → push emails  {apalis.attempt=2}
              └─ push receipts          mailer  PRODUCER
                 └─ process receipts    clerk   CONSUMER  → push receipts  {apalis.attempt=1}
        ",
    );
    let forest = capture.forest();
    let picture = forest.waterfall().to_string();
    let names =
        ["POST /orders", "push emails", "process emails", "process emails", "push receipts", "process receipts"];
    let mut rest = picture.as_str();
    for name in names {
        let (_, after) = rest.split_once(name).ok_or_else(|| format!("no {name} in\n{picture}"))?;
        rest = after;
    }
    assert!(picture.contains("3 services") && picture.contains("✗"), "{picture}");
    Ok(())
}
