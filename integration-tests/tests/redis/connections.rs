//! Every kind of connection publishes.

use anyhow::Result;
use futures_util::FutureExt as _;
use redis::cluster::ClusterClient;
use redis::{AsyncCommands as _, Commands as _};
use test_brokers::RedisCluster;
use tokio::sync::mpsc::unbounded_channel;
use traced_redis::{Form, TracedConsumer, TracedProducer};

use crate::server::{Server, next, processed, soon, unique};

#[tokio::test]
async fn receivers_are_counted_and_nobody_is_no_error() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut producer = server.producer(Form::Binary).await?;
    assert_eq!(producer.publish(&channel, b"1").await?, 0);
    let _first = server.subscription(&channel).await?;
    let _second = server.subscription(&channel).await?;
    assert_eq!(producer.publish(&channel, b"2").await?, 2);
    server.capture.assert_trace(&format!(
        "
        publish {channel}  shop  PRODUCER

        publish {channel}  shop  PRODUCER"
    ));
    Ok(())
}

#[tokio::test]
async fn a_connection_manager_publishes() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let manager = soon(server.client.get_connection_manager()).await??;
    let mut producer = TracedProducer::with_settings(manager, Form::Binary, &server.shop());
    assert_eq!(producer.publish(&channel, b"1").await?, 1);
    assert_eq!(producer.destination(&channel).publish_json(&2).await?, 1);
    for expected in [b"1", b"2"] {
        assert_eq!(processed(&mut consumer).await?, expected);
    }
    assert_eq!(server.capture.trace_ids().len(), 2);
    assert_eq!(server.capture.spans().len(), 4);
    let _: redis::Value = producer.get_mut().get("nothing").await?;
    Ok(())
}

#[tokio::test]
async fn synchronous_connections_publish() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, shard) = (unique("orders"), unique("shard"));
    let mut consumer = server.consumer(&channel).await?;
    let (client, settings) = (server.client.clone(), server.shop());
    let name = channel.clone();
    let blocking = tokio::task::spawn_blocking(move || {
        let mut producer = TracedProducer::with_settings(client.get_connection()?, Form::Binary, &settings);
        assert_eq!(producer.publish_blocking(&name, b"1")?, 1);
        assert_eq!(producer.publish_json_blocking(&name, &2)?, 1);
        assert_eq!(producer.spublish_blocking(&shard, b"3")?, 0);
        assert_eq!(producer.spublish_json_blocking(&shard, &4)?, 0);
        let _: redis::Value = producer.get_mut().get("nothing")?;
        redis::RedisResult::Ok(())
    });
    soon(blocking).await???;
    for expected in [b"1", b"2"] {
        assert_eq!(processed(&mut consumer).await?, expected);
    }
    assert_eq!((server.capture.spans().len(), server.capture.trace_ids().len()), (6, 4));
    Ok(())
}

#[tokio::test]
async fn a_cluster_publishes_to_all_and_to_one_shard() -> Result<()> {
    let server = Server::shared().await?;
    let cluster = RedisCluster::shared().await?;
    let (sender, receiver) = unbounded_channel();
    let client = ClusterClient::builder([cluster.url()])
        .use_protocol(redis::ProtocolVersion::RESP3)
        .push_sender(sender)
        .build()?;
    let mut connection = soon(client.get_async_connection()).await??;
    let (channel, shard) = (unique("orders"), unique("shard"));
    soon(connection.subscribe(&channel)).await??;
    soon(connection.ssubscribe(&shard)).await??;
    let mut consumer = TracedConsumer::with_settings(receiver, &server.warehouse());

    let mut producer = TracedProducer::with_settings(connection, Form::Binary, &server.shop());
    producer.publish(&channel, b"to all").await?;
    assert_eq!(processed(&mut consumer).await?, b"to all");
    assert_eq!(producer.spublish(&shard, b"to one").await?, 1);
    assert_eq!(producer.sharded_destination(&shard).publish_json(&1).await?, 1);
    for expected in [&b"to one"[..], b"1"] {
        let message = next(&mut consumer).await?;
        assert_eq!(message.channel(), shard);
        let payload = message.process(async |message| anyhow::Ok(message.payload().to_vec())).await?;
        assert_eq!(payload, expected);
    }
    let counts: Vec<usize> =
        producer.pipeline(|pipeline| _ = pipeline.spublish(&shard, b"first").spublish_json(&shard, &2)).await?;
    assert_eq!(counts, [1, 1]);
    server.capture.assert_trace(&format!(
        "
        publish {channel}       shop       PRODUCER
          process {channel}     warehouse  CONSUMER  → publish {channel}

        spublish {shard}         shop       PRODUCER
          process {shard}       warehouse  CONSUMER  → spublish {shard}

        spublish {shard}         shop       PRODUCER
          process {shard}       warehouse  CONSUMER  → spublish {shard}

        create {shard}           shop       PRODUCER

        create {shard}           shop       PRODUCER

        spublish {shard}         shop       CLIENT  → create {shard}  → create {shard}"
    ));
    Ok(())
}

#[tokio::test]
async fn channels_need_not_be_text() -> Result<()> {
    let server = Server::shared().await?;
    let name = unique("orders");
    let channel = [b"\xff", name.as_bytes()].concat();
    let mut subscription = soon(server.client.get_async_pubsub()).await??;
    soon(subscription.subscribe(channel.as_slice())).await??;
    let mut consumer = TracedConsumer::with_settings(subscription, &server.warehouse());
    assert_eq!(server.producer(Form::Binary).await?.publish(&channel, b"1").await?, 1);
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;
    server.capture.assert_trace(&format!(
        "publish \u{fffd}{name}       shop       PRODUCER
           process \u{fffd}{name}     warehouse  CONSUMER  → publish \u{fffd}{name}"
    ));
    Ok(())
}

#[tokio::test]
async fn futures_can_be_spawned() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    let name = channel.clone();
    let publishing = tokio::spawn(async move {
        producer.publish(&name, b"1").await?;
        producer.publish_json(&name, &2).await?;
        producer.destination(&name).publish(b"3").await?;
        let order = vec![4_u8];
        producer.pipeline::<Vec<usize>>(|pipeline| _ = pipeline.publish(&name, &order)).await
    });
    assert_eq!(soon(publishing).await???, [1]);
    let consuming = tokio::spawn(async move {
        for _ in 0..2 {
            let text = String::from("borrowed");
            let message = next(&mut consumer).await?;
            message.process(async |message| anyhow::Ok((message.payload().len(), text.len()))).await?;
        }
        let messages = vec![next(&mut consumer).await?];
        consumer.process_batch(messages, async |messages| anyhow::Ok(messages.len())).await?;
        let last = next(&mut consumer).await?;
        tokio::spawn(last.process(async |_| anyhow::Ok(()))).await?
    });
    soon(consuming).await???;
    Ok(())
}

/// Whether the server has it nobody knows.
#[tokio::test]
async fn a_publish_that_is_dropped_is_cancelled() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut producer = server.producer(Form::Binary).await?;
    assert!(producer.publish(&channel, b"1").now_or_never().is_none());
    server.capture.assert_trace(&format!("publish {channel}  shop  PRODUCER  ✗ cancelled"));
    server.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn the_servers_error_comes_back_unchanged() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, user) = (unique("orders"), unique("user"));
    let mut connection = server.connection().await?;
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg(&user).arg(&["on", "nopass", "~*", "+@all", "resetchannels"]);
    let () = acl.query_async(&mut connection).await?;
    let () = redis::cmd("AUTH").arg(&user).arg("any").query_async(&mut connection).await?;
    let expected = connection.publish::<_, _, usize>(&channel, b"1").await.expect_err("forbidden");
    let mut producer = TracedProducer::with_settings(connection, Form::Binary, &server.shop());
    let error = producer.publish(&channel, b"1").await.expect_err("forbidden");
    assert_eq!(format!("{error:?} {error}"), format!("{expected:?} {expected}"));
    assert_eq!((error.kind(), error.code()), (expected.kind(), Some("NOPERM")));
    server.capture.assert_trace(&format!("publish {channel}  shop  PRODUCER  ✗ NOPERM"));
    Ok(())
}
