//! What messages come out of: by name and by pattern, pushed and asked for.

use anyhow::{Context as _, Result};
use redis::Commands as _;
use traced_redis::{Form, TracedConsumer};

use crate::server::{Server, attribute, next, processed, soon, unique};

#[tokio::test]
async fn one_trace_from_the_publisher_to_the_handlers_spans() -> Result<()> {
    use opentelemetry::trace::Tracer as _;
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    server.producer(Form::Binary).await?.publish(&channel, b"1").await?;
    let tracer = server.capture.tracer("warehouse");
    next(&mut consumer)
        .await?
        .process(async |_| {
            tracer.in_span("reserve stock", |_| ());
            anyhow::Ok(())
        })
        .await?;
    server.capture.assert_trace(&format!(
        "publish {channel}         shop       PRODUCER
           process {channel}       warehouse  CONSUMER  → publish {channel}
             reserve stock         warehouse  INTERNAL"
    ));
    Ok(())
}

#[tokio::test]
async fn the_pattern_stands_for_the_channels_that_it_brought() -> Result<()> {
    let server = Server::shared().await?;
    let prefix = unique("user");
    let pattern = format!("{prefix}.*");
    let mut subscription = soon(server.client.get_async_pubsub()).await??;
    soon(subscription.psubscribe(&pattern)).await??;
    let mut consumer = TracedConsumer::with_settings(subscription, &server.warehouse());
    server.producer(Form::Binary).await?.publish(format!("{prefix}.7"), b"1").await?;
    let message = next(&mut consumer).await?;
    assert_eq!(message.channel(), format!("{prefix}.7"));
    message.process(async |_| anyhow::Ok(())).await?;
    let span = server.capture.span(&format!("process {pattern}"));
    assert_eq!(attribute(&span, "messaging.destination.template"), Some(pattern.clone()));
    assert_eq!(attribute(&span, "messaging.destination.name"), Some(format!("{prefix}.7")));
    let consumed = server.capture.metric("messaging.client.consumed.messages");
    assert_eq!(consumed.attribute("messaging.destination.template").map(ToString::to_string), Some(pattern));
    assert!(consumed.attribute("messaging.destination.name").is_none());
    Ok(())
}

/// Two deliveries, as Redis has it: it counts two receivers, too.
#[tokio::test]
async fn a_message_that_comes_by_name_and_by_pattern_is_delivered_twice() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let pattern = format!("{channel}*");
    let mut consumer = server.consumer(&channel).await?;
    soon(consumer.get_mut().psubscribe(&pattern)).await??;
    assert_eq!(server.producer(Form::Binary).await?.publish(&channel, b"1").await?, 2);
    for _ in 0..2 {
        assert_eq!(processed(&mut consumer).await?, b"1");
    }
    server.capture.assert_trace(&format!(
        "publish {channel}       shop       PRODUCER
           process {channel}     warehouse  CONSUMER  → publish {channel}
           process {pattern}     warehouse  CONSUMER  → publish {channel}"
    ));
    Ok(())
}

#[tokio::test]
async fn the_stream_of_a_split_subscription_is_consumed() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let (mut sink, stream) = soon(server.client.get_async_pubsub()).await??.split();
    let mut consumer = TracedConsumer::with_settings(stream, &server.warehouse());
    soon(sink.subscribe(&channel)).await??;
    server.producer(Form::Binary).await?.publish(&channel, b"1").await?;
    next(&mut consumer).await?.process(async |_| anyhow::Ok(())).await?;
    server.capture.assert_one_trace();
    Ok(())
}

#[tokio::test]
async fn pushed_messages_are_consumed_by_name_pattern_and_shard() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, user, shard) = (unique("orders"), unique("user"), unique("shard"));
    let (mut connection, receiver) = server.pushed().await?;
    soon(connection.subscribe(&channel)).await??;
    soon(connection.psubscribe(format!("{user}.*"))).await??;
    let () = soon(redis::cmd("SSUBSCRIBE").arg(&shard).query_async(&mut connection)).await??;
    let mut consumer = TracedConsumer::with_settings(receiver, &server.warehouse());
    let mut producer = server.producer(Form::Binary).await?;
    assert_eq!(producer.publish(&channel, b"1").await?, 1);
    assert_eq!(producer.publish(format!("{user}.7"), b"2").await?, 1);
    assert_eq!(producer.spublish(&shard, b"3").await?, 1);
    assert_eq!(producer.spublish_json(&shard, &4).await?, 1);
    for expected in [b"1", b"2", b"3", b"4"] {
        assert_eq!(processed(&mut consumer).await?, expected);
    }
    server.capture.assert_trace(&format!(
        "
        publish {channel}         shop       PRODUCER
          process {channel}       warehouse  CONSUMER  → publish {channel}

        publish {user}.7           shop       PRODUCER
          process {user}.*        warehouse  CONSUMER  → publish {user}.7

        spublish {shard}           shop       PRODUCER
          process {shard}         warehouse  CONSUMER  → spublish {shard}

        spublish {shard}           shop       PRODUCER
          process {shard}         warehouse  CONSUMER  → spublish {shard}"
    ));
    // The application dropped its connection: that is no error.
    drop(connection);
    assert!(soon(consumer.next()).await?.is_none_or(|end| end.is_err_and(|error| error.is_connection_dropped())));
    Ok(())
}

#[tokio::test]
async fn a_synchronous_subscription_is_consumed() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let (client, settings, name) = (server.client.clone(), server.warehouse(), channel.clone());
    let mut producer = server.producer(Form::Binary).await?;
    let consuming = tokio::task::spawn_blocking(move || {
        let (mut connection, mut other) = (client.get_connection()?, client.get_connection()?);
        let mut subscription = connection.as_pubsub();
        subscription.subscribe(&name)?;
        let _receivers: usize = other.publish(&name, r#"{"trace_context":{},"payload":"no context"}"#)?;
        let mut consumer = TracedConsumer::with_settings(subscription, &settings);
        let first = consumer.get_message()?;
        let payload = first.process_blocking(|message| redis::RedisResult::Ok(message.payload().to_vec()))?;
        assert_eq!(payload, b"\"no context\"");
        let () = other.set(format!("{name} ready"), 1)?;
        consumer.get_message()?.process_blocking(|message| redis::RedisResult::Ok(message.payload().to_vec()))
    });
    // The first was processed before the second was sent.
    let mut connection = server.connection().await?;
    let ready = format!("{channel} ready");
    soon(async {
        while !redis::AsyncCommands::exists::<_, bool>(&mut connection, &ready).await? {
            tokio::task::yield_now().await;
        }
        redis::RedisResult::Ok(())
    })
    .await??;
    producer.publish(&channel, b"7").await?;
    assert_eq!(soon(consuming).await???, b"7");
    server.capture.assert_trace(&format!(
        "
        process {channel}       warehouse  CONSUMER

        publish {channel}        shop       PRODUCER
          process {channel}      warehouse  CONSUMER  → publish {channel}"
    ));
    Ok(())
}

#[tokio::test]
async fn what_a_synchronous_connection_is_pushed_is_wrapped() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let (client, settings, name) = (server.resp3()?, server.warehouse(), channel.clone());
    let (shop, url) = (server.shop(), server.client.clone());
    let consuming = tokio::task::spawn_blocking(move || {
        let mut connection = client.get_connection()?;
        let (sender, receiver) = std::sync::mpsc::channel();
        connection.set_push_sender(sender);
        connection.subscribe_resp3(&name)?;
        let mut producer = traced_redis::TracedProducer::with_settings(url.get_connection()?, Form::Binary, &shop);
        producer.publish_blocking(&name, b"7")?;
        let consumer = TracedConsumer::with_settings((), &settings);
        loop {
            connection.recv_response()?;
            if let Some(message) = receiver.try_iter().find_map(|push| consumer.wrap_push(push)) {
                return message.process_blocking(|message| redis::RedisResult::Ok(message.payload().to_vec()));
            }
        }
    });
    assert_eq!(soon(consuming).await???, b"7");
    server.capture.assert_one_trace();
    Ok(())
}

#[tokio::test]
async fn a_message_that_came_another_way_is_wrapped() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut subscription = server.subscription(&channel).await?;
    server.producer(Form::Binary).await?.publish(&channel, b"7").await?;
    let message = crate::server::bare(&mut subscription).await?;
    let consumer = TracedConsumer::with_settings(subscription, &server.warehouse());
    let message = consumer.wrap(message).process(async |message| anyhow::Ok(message.into_inner())).await?;
    assert!(message.get_payload_bytes().starts_with(b"\xF5TRC"), "the envelope is still there");
    server.capture.assert_one_trace();
    consumer.into_inner().unsubscribe(&channel).await.context("redis' own subscription")
}

/// Bug that this prevents: the channels of one pattern took every place among the consumer's destinations, and a channel that was
/// subscribed to by its name was left out of the metrics from then on.
#[tokio::test]
async fn the_channels_of_a_pattern_keep_no_other_channel_out_of_the_metrics() -> Result<()> {
    const CHANNELS: usize = 1100;
    let server = Server::shared().await?;
    let (prefix, orders) = (unique("user"), unique("orders"));
    let mut subscription = soon(server.client.get_async_pubsub()).await??;
    soon(subscription.psubscribe(format!("{prefix}.*"))).await??;
    soon(subscription.subscribe(&orders)).await??;
    let mut consumer = TracedConsumer::with_settings(subscription, &server.warehouse());
    let mut plain = redis::pipe();
    for user in 0..CHANNELS {
        plain.publish(format!("{prefix}.{user}"), "bare").ignore();
    }
    plain.publish(&orders, "bare").ignore();
    let () = soon(plain.query_async(&mut server.connection().await?)).await??;
    for _ in 0..=CHANNELS {
        assert_eq!(processed(&mut consumer).await?, b"bare");
    }
    let counted = |key: &str, destination: &str| {
        let metrics = server.capture.metrics().into_iter();
        let mut counters = metrics.filter(|metric| metric.name() == "messaging.client.consumed.messages");
        let of = counters.find(|counter| counter.attribute(key).is_some_and(|value| value.as_str() == destination));
        of.map(|counter| counter.value())
    };
    assert_eq!(counted("messaging.destination.name", &orders), Some(1.0));
    assert_eq!(counted("messaging.destination.template", &format!("{prefix}.*")), Some(CHANNELS as f64));
    Ok(())
}
