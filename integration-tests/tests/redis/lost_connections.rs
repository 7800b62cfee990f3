//! Subscriptions whose connection is lost.

use anyhow::{Context as _, Result};
use redis::aio::ConnectionManagerConfig;
use redis::{Client, Commands as _};
use tokio::sync::mpsc::unbounded_channel;
use traced_redis::{Form, Subscription, TracedConsumer};

use crate::server::{Server, next, processed, soon, unique};

/// Ends the connections of all subscribers, as a fail-over does: only on a server of one's own.
fn kill_subscribers(client: &Client) -> Result<usize> {
    let mut connection = client.get_connection()?;
    Ok(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").query(&mut connection)?)
}

async fn ends_with_an_error<S: Subscription + Unpin>(consumer: &mut TracedConsumer<S>) -> Result<()> {
    let error = soon(consumer.next()).await?.context("an end without a word")?.err().context("an error")?;
    assert!(error.is_connection_dropped() && error.is_unrecoverable_error(), "{error:?}");
    assert!(soon(consumer.next()).await?.is_none());
    assert!(soon(consumer.next()).await?.is_none());
    Ok(())
}

/// redis' own stream ends here without a word, and a loop over it with it.
#[tokio::test]
async fn a_resp2_subscription_says_that_its_connection_was_lost() -> Result<()> {
    let server = Server::own().await?;
    let channel = unique("orders");
    let mut whole = server.consumer(&channel).await?;
    let mut split = TracedConsumer::with_settings(server.subscription(&channel).await?.split().1, &server.warehouse());
    server.producer(Form::Binary).await?.publish(&channel, b"1").await?;
    assert_eq!(kill_subscribers(&server.client)?, 2);
    // What was there before is not lost.
    next(&mut whole).await?.process(async |_| anyhow::Ok(())).await?;
    next(&mut split).await?.process(async |_| anyhow::Ok(())).await?;
    ends_with_an_error(&mut whole).await?;
    ends_with_an_error(&mut split).await
}

#[tokio::test]
async fn a_pushed_subscription_that_nobody_renews_says_so_too() -> Result<()> {
    let server = Server::own().await?;
    let channel = unique("orders");
    let (mut connection, receiver) = server.pushed().await?;
    soon(connection.subscribe(&channel)).await??;
    let mut consumer = TracedConsumer::with_settings(receiver, &server.warehouse());
    assert_eq!(kill_subscribers(&server.client)?, 1);
    ends_with_an_error(&mut consumer).await
}

#[tokio::test]
async fn a_connection_manager_subscribes_again_and_the_consumer_goes_on() -> Result<()> {
    let server = Server::own().await?;
    let channel = unique("orders");
    let (sender, receiver) = unbounded_channel();
    let config = ConnectionManagerConfig::new().set_push_sender(sender).set_automatic_resubscription();
    let config = config.set_number_of_retries(usize::MAX);
    let mut manager = soon(server.resp3()?.get_connection_manager_with_config(config)).await??;
    soon(manager.subscribe(&channel)).await??;
    let mut consumer = TracedConsumer::with_settings(receiver, &server.warehouse());
    let mut producer = server.producer(Form::Binary).await?;
    assert_eq!(producer.publish(&channel, b"before").await?, 1);
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;

    assert_eq!(kill_subscribers(&server.client)?, 1);
    let client = server.client.clone();
    soon(async {
        loop {
            let subscribed: Vec<(String, usize)> =
                redis::cmd("PUBSUB").arg("NUMSUB").arg(&channel).query(&mut client.get_connection()?)?;
            if subscribed.first().is_some_and(|(_, count)| *count == 1) {
                return redis::RedisResult::Ok(());
            }
            tokio::task::yield_now().await;
        }
    })
    .await??;
    assert_eq!(producer.publish(&channel, b"after").await?, 1);
    assert_eq!(processed(&mut consumer).await?, b"after");
    assert_eq!(server.capture.trace_ids().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_synchronous_subscription_has_redis_own_error() -> Result<()> {
    let server = Server::own().await?;
    let (client, settings) = (server.client.clone(), server.warehouse());
    let consuming = tokio::task::spawn_blocking(move || {
        let mut connection = client.get_connection()?;
        let mut consumer = TracedConsumer::with_settings(connection.as_pubsub(), &settings);
        consumer.get_mut().subscribe("orders")?;
        kill_subscribers(&client)?;
        anyhow::Ok(consumer.get_message().map(|_| ()))
    });
    let error = soon(consuming).await???.expect_err("the connection is lost");
    assert!(error.is_io_error(), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_publish_over_a_lost_connection_is_redis_own_error() -> Result<()> {
    let server = Server::own().await?;
    let mut producer = server.producer(Form::Binary).await?;
    server.broker.kill().await?;
    let error = soon(producer.publish("orders", b"1")).await?.expect_err("the server is gone");
    assert!(error.is_io_error(), "{error:?}");
    server.capture.assert_trace("publish orders  shop  PRODUCER  ✗ io_error");
    assert!(server.client.get_connection().and_then(|mut it| it.get::<_, Option<u8>>("x")).is_err());
    Ok(())
}
