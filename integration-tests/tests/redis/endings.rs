//! How process spans end.

use anyhow::{Result, anyhow};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use traced_redis::{Form, Outcome};

use crate::server::{Server, next, unique};

#[tokio::test]
async fn a_handlers_result_comes_back_unchanged_and_decides_the_status() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    for order in [b"1", b"2", b"3", b"4", b"5", b"6"] {
        producer.publish(&channel, order).await?;
    }
    let length = next(&mut consumer).await?.process(async |message| anyhow::Ok(message.payload().len())).await?;
    assert_eq!(length, 1);
    let error = next(&mut consumer).await?.process(async |_| Err::<(), _>(anyhow!("out of stock"))).await;
    assert_eq!(error.expect_err("the handler's").to_string(), "out of stock");
    let rows = next(&mut consumer).await?.process_with(async |_| 0, |_| Outcome::error("nothing_stored", "no row"));
    assert_eq!(rows.await, 0);
    let error = next(&mut consumer).await?.process_blocking(|_| Err::<(), _>(anyhow!("out of stock")));
    assert!(error.is_err());
    let panicking = next(&mut consumer).await?.process::<_, _, (), anyhow::Error>(async |_| panic!("on purpose"));
    assert!(AssertUnwindSafe(panicking).catch_unwind().await.is_err());
    let pending = next(&mut consumer).await?.process(async |_| {
        std::future::pending::<()>().await;
        anyhow::Ok(())
    });
    assert!(pending.now_or_never().is_none());
    let kinds: Vec<_> = server.capture.spans().iter().filter(|span| span.service() == "warehouse").map(kind).collect();
    assert_eq!(kinds, ["", "_OTHER", "nothing_stored", "_OTHER", "panic", "cancelled"]);
    server.capture.assert_no_open_spans();
    Ok(())
}

fn kind(span: &traced_envelope::testing::CapturedSpan) -> String {
    crate::server::attribute(span, "error.type").unwrap_or_default()
}

#[tokio::test]
async fn a_started_message_is_open_until_it_is_finished_or_dropped() -> Result<()> {
    use opentelemetry::trace::Tracer as _;
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    producer.publish(&channel, b"1").await?;
    producer.publish(&channel, b"2").await?;
    let first = next(&mut consumer).await?.start();
    assert_eq!(first.get_ref().payload(), b"1");
    let tracer = server.capture.tracer("warehouse");
    drop(tracer.start_with_context("reserve stock", first.context()));
    assert_eq!(server.capture.open_spans().len(), 1);
    assert_eq!(first.finish(Outcome::Ok).payload(), b"1");
    drop(next(&mut consumer).await?.start());
    server.capture.assert_no_open_spans();
    server.capture.assert_trace(&format!(
        "
        publish {channel}         shop       PRODUCER
          process {channel}       warehouse  CONSUMER  → publish {channel}
            reserve stock         warehouse  INTERNAL

        publish {channel}          shop       PRODUCER
          process {channel}       warehouse  CONSUMER  → publish {channel}  ✗ cancelled"
    ));
    Ok(())
}

#[tokio::test]
async fn a_message_that_nobody_processes_has_no_span() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    server.producer(Form::Binary).await?.publish(&channel, b"1").await?;
    let message = next(&mut consumer).await?;
    assert_eq!(*message.payload(), *b"1");
    assert!(message.into_inner().get_payload_bytes().ends_with(b"1"));
    server.capture.assert_trace(&format!("publish {channel}  shop  PRODUCER"));
    Ok(())
}
