//! MULTI and EXEC with messages in them.

use anyhow::Result;
use redis::{AsyncCommands as _, RedisResult};
use traced_redis::Form;

use crate::server::{Server, attribute, next, unique};

#[tokio::test]
async fn a_transactions_messages_are_delivered_with_it() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, key) = (unique("orders"), unique("stock"));
    let mut consumer = server.consumer(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    let (left, receivers): (i64, usize) = producer
        .pipeline(|pipeline| {
            pipeline.atomic().get_mut().decr(&key, 1);
            pipeline.publish(&channel, b"1");
        })
        .await?;
    assert_eq!((left, receivers), (-1, 1));
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;
    server.capture.assert_trace(&format!(
        "
        create {channel}         shop       PRODUCER
          process {channel}      warehouse  CONSUMER  → create {channel}

        publish {channel}         shop       CLIENT  → create {channel}"
    ));
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_a_watched_key_prevents_has_sent_nothing() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, key) = (unique("orders"), unique("stock"));
    let _subscription = server.subscription(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    let () = redis::cmd("WATCH").arg(&key).query_async(producer.get_mut()).await?;
    let () = server.connection().await?.set(&key, 1).await?;
    let nothing: Option<Vec<usize>> =
        producer.pipeline(|pipeline| _ = pipeline.atomic().publish(&channel, b"1")).await?;
    assert_eq!(nothing, None);
    let sent = server.capture.span(&format!("publish {channel}"));
    assert_eq!(attribute(&sent, "error.type").as_deref(), Some("transaction_aborted"));
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_is_refused_is_redis_own_error() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut own = redis::pipe();
    own.atomic().publish(&channel, b"1").cmd("NO_SUCH_COMMAND");
    let expected = own.query_async::<()>(&mut server.connection().await?).await.expect_err("refused");
    let mut producer = server.producer(Form::Binary).await?;
    let result: RedisResult<()> = producer
        .pipeline(|pipeline| {
            pipeline.atomic().publish(&channel, b"1").get_mut().cmd("NO_SUCH_COMMAND");
        })
        .await;
    let error = result.expect_err("refused");
    assert_eq!(format!("{error:?} {error}"), format!("{expected:?} {expected}"));
    let sent = server.capture.span(&format!("publish {channel}"));
    assert_eq!(attribute(&sent, "error.type").as_deref(), Some("EXECABORT"));
    Ok(())
}
