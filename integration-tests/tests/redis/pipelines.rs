//! Pipelines with messages in them.

use anyhow::Result;
use redis::{RedisResult, Value};
use serde_json::json;
use std::collections::BTreeMap;
use traced_redis::{Form, TracedProducer};

use crate::server::{Server, attribute, processed, soon, unique};

#[tokio::test]
async fn a_create_span_for_each_message_and_a_send_span_that_links_them() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    let counts: Vec<usize> =
        producer.pipeline(|pipeline| _ = pipeline.publish(&channel, b"1").publish_json(&channel, &2)).await?;
    assert_eq!(counts, [1, 1]);
    for expected in [b"1", b"2"] {
        assert_eq!(processed(&mut consumer).await?, expected);
    }
    server.capture.assert_trace(&format!(
        "
        create {channel}         shop       PRODUCER
          process {channel}      warehouse  CONSUMER  → create {channel}

        create {channel}          shop       PRODUCER
          process {channel}      warehouse  CONSUMER  → create {channel}

        publish {channel}         shop       CLIENT  → create {channel}  → create {channel}"
    ));
    let sent = server.capture.span(&format!("publish {channel}"));
    assert_eq!(attribute(&sent, "messaging.batch.message_count").as_deref(), Some("2"));
    assert_eq!(server.capture.metric("messaging.client.sent.messages").value(), 2.0);
    Ok(())
}

/// The same commands by redis' own pipeline: the results must be the same, whatever is ignored.
#[tokio::test]
async fn results_come_back_as_redis_own_pipeline_gives_them() -> Result<()> {
    for (create_spans, atomic) in [(true, false), (true, true), (false, false), (false, true)] {
        let server = Server::shared().await?;
        let (channel, other, key) = (unique("orders"), unique("audit"), unique("key"));
        let _first = server.subscription(&channel).await?;
        let _second = server.subscription(&channel).await?;
        let mut connection = server.connection().await?;
        let mut own = redis::pipe();
        if atomic {
            own.atomic();
        }
        own.set(&key, 1).ignore().publish(&channel, b"1").publish(&other, b"2").incr(&key, 1);
        own.publish(&channel, b"3").ignore().get(&key);
        let expected: Value = own.query_async(&mut connection).await?;

        let settings = server.shop().create_spans(create_spans);
        let mut producer = TracedProducer::with_settings(connection, Form::Binary, &settings);
        let commands = |pipeline: &mut traced_redis::TracedPipeline<'_>| {
            if atomic {
                pipeline.atomic();
            }
            pipeline.get_mut().set(&key, 1).ignore();
            pipeline.publish(&channel, b"1").publish(&other, b"2").get_mut().incr(&key, 1);
            pipeline.publish(&channel, b"3").ignore().get_mut().get(&key);
        };
        assert_eq!(producer.pipeline::<Value>(commands).await?, expected);
        assert_eq!(producer.pipeline::<(usize, usize, i64, String)>(commands).await?, (2, 0, 2, "2".to_owned()));
        let (client, sync_settings) = (server.client.clone(), settings.clone());
        let mut blocking = TracedProducer::with_settings(client.get_connection()?, Form::Binary, &sync_settings);
        assert_eq!(blocking.pipeline_blocking::<Value>(commands)?, expected);
        let sent: Vec<_> = server.capture.spans().into_iter().filter(|span| span.name() == "publish").collect();
        assert_eq!(sent.len(), 3);
        for sent in sent {
            assert_eq!(attribute(&sent, "messaging.destination.name"), None);
            assert_eq!(attribute(&sent, "messaging.batch.message_count").as_deref(), Some("3"));
            assert_eq!(sent.links().len(), if create_spans { 3 } else { 0 });
            assert!(!sent.is_error());
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_create_spans_messages_carry_the_send_spans_context() -> Result<()> {
    for form in [Form::Binary, Form::Bare] {
        let server = Server::shared().await?;
        let channel = unique("orders");
        let mut consumer = server.consumer(&channel).await?;
        let settings = server.shop().create_spans(false);
        let mut producer = TracedProducer::with_settings(server.connection().await?, form.clone(), &settings);
        let counts: Vec<usize> = producer
            .pipeline(|pipeline| {
                pipeline.publish(&channel, b"\x00one").publish_json(&channel, &json!({"id": 2}));
            })
            .await?;
        assert_eq!(counts, [1, 1]);
        for expected in [&b"\x00one"[..], br#"{"id":2}"#] {
            assert_eq!(processed(&mut consumer).await?, expected);
        }
        if form == Form::Binary {
            server.capture.assert_trace(&format!(
                "publish {channel}         shop       PRODUCER
                   process {channel}       warehouse  CONSUMER  → publish {channel}
                   process {channel}       warehouse  CONSUMER  → publish {channel}"
            ));
        } else {
            assert_eq!(server.capture.trace_ids().len(), 3);
        }
    }
    Ok(())
}

/// Bug that this prevents: what was added after a `clear` had no envelope, and its subscribers no context.
#[tokio::test]
async fn messages_after_a_clear_have_their_envelopes() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    for creates in [true, false] {
        server.capture.clear();
        let settings = server.shop().create_spans(creates);
        let mut producer = TracedProducer::with_settings(server.connection().await?, Form::Binary, &settings);
        let receivers: Vec<usize> = producer
            .pipeline(|pipeline| {
                pipeline.get_mut().cmd("PING");
                pipeline.publish(&channel, b"1").publish(&channel, b"2");
                pipeline.get_mut().clear();
                pipeline.publish(&channel, b"3").publish(&channel, b"4");
            })
            .await?;
        assert_eq!(receivers, [1, 1]);
        for payload in [b"3", b"4"] {
            assert_eq!(processed(&mut consumer).await?, payload);
        }
        let spans = server.capture.spans();
        let of_handlers: Vec<_> = spans.iter().filter(|span| span.name().starts_with("process")).collect();
        assert!(of_handlers.iter().all(|span| span.parent_id().is_some()) && of_handlers.len() == 2);
        let sent = server.capture.span(&format!("publish {channel}"));
        assert_eq!(attribute(&sent, "messaging.batch.message_count").as_deref(), Some("2"));
    }
    Ok(())
}

#[tokio::test]
async fn a_pipeline_without_messages_has_no_span() -> Result<()> {
    let server = Server::shared().await?;
    let key = unique("key");
    let mut producer = server.producer(Form::Binary).await?;
    let (value,): (u8,) = producer
        .pipeline(|pipeline| {
            pipeline.get_mut().set(&key, 7).ignore().get(&key);
        })
        .await?;
    assert_eq!(value, 7);
    assert!(server.capture.spans().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_value_without_json_fails_the_pipeline_before_anything_is_sent() -> Result<()> {
    let server = Server::shared().await?;
    let key = unique("key");
    let no_json = BTreeMap::from([((1, 2), 3)]);
    let mut producer = server.producer(Form::Binary).await?;
    let result: RedisResult<()> = producer
        .pipeline(|pipeline| {
            pipeline.get_mut().set(&key, 1);
            pipeline.publish("orders", b"1").publish_json("orders", &no_json).publish("orders", b"3");
        })
        .await;
    assert_eq!(result.expect_err("a key is no string").kind(), redis::ErrorKind::Client);
    let exists: bool = redis::AsyncCommands::exists(producer.get_mut(), &key).await?;
    assert!(!exists);
    server.capture.assert_no_open_spans();
    Ok(())
}

/// Bug that this prevents: the messages of a pipeline that was never sent had create spans without an error, and nothing said that they
/// went nowhere; without create spans there was no span at all.
#[tokio::test]
async fn the_send_span_of_a_pipeline_that_was_never_sent_has_the_error() -> Result<()> {
    for (create_spans, entry) in [(true, false), (true, true), (false, false), (false, true)] {
        let server = Server::shared().await?;
        let settings = server.shop().create_spans(create_spans);
        let mut producer = TracedProducer::with_settings(server.connection().await?, Form::Binary, &settings);
        let no_json = BTreeMap::from([((1, 2), 3)]);
        let result: RedisResult<()> = producer
            .pipeline(|pipeline| {
                match entry {
                    true => pipeline.xadd("orders", "*", &[("id", 1)]),
                    false => pipeline.publish("orders", b"1"),
                };
                pipeline.publish_json("orders", &no_json);
            })
            .await;
        result.expect_err("a key is no string");
        server.capture.assert_no_open_spans();
        let sent = server.capture.span("publish orders");
        assert!(sent.is_error());
        assert_eq!(attribute(&sent, "error.type").as_deref(), Some("client_error"));
        assert_eq!(attribute(&sent, "messaging.batch.message_count").as_deref(), Some("2"));
        let spans = server.capture.spans();
        let created: Vec<_> = spans.iter().filter(|span| span.name() == "create orders").collect();
        assert_eq!(created.iter().map(|span| span.is_error()).collect::<Vec<_>>(), [false, true][..created.len()]);
        assert_eq!(created.len(), if create_spans { 2 } else { 0 });
        let linked: Vec<_> = sent.links().iter().map(|link| link.span_context.span_id()).collect();
        assert_eq!(linked, created.iter().map(|span| span.span_id()).collect::<Vec<_>>());
        // As a single message that cannot be written: an attempt that failed.
        let counted = server.capture.metric("messaging.client.sent.messages");
        assert_eq!(counted.value(), 2.0);
        assert_eq!(counted.attribute("error.type").map(ToString::to_string).as_deref(), Some("client_error"));
    }
    Ok(())
}

/// Errors of other commands are the caller's, and have nothing to do with the messages.
#[tokio::test]
async fn the_send_span_has_the_messages_errors_and_the_caller_all() -> Result<()> {
    let server = Server::shared().await?;
    let (channel, user, key) = (unique("orders"), unique("user"), unique("key"));
    let mut connection = server.connection().await?;
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg(&user).arg(&["on", "nopass", "~*", "+@all", "resetchannels"]).arg(format!("&{channel}"));
    let () = acl.query_async(&mut connection).await?;
    let () = redis::cmd("AUTH").arg(&user).arg("any").query_async(&mut connection).await?;
    let mut producer = TracedProducer::with_settings(connection, Form::Binary, &server.shop());

    let result: RedisResult<()> = producer
        .pipeline(|pipeline| {
            pipeline.publish(&channel, b"1").get_mut().set(&key, "text").ignore().incr(&key, 1);
        })
        .await;
    let errors = result.expect_err("a text cannot be counted").into_server_errors();
    assert_eq!(errors.map(|errors| errors.iter().map(|(index, _)| *index).collect()), Some(vec![2]));
    assert!(!server.capture.span(&format!("publish {channel}")).is_error());

    server.capture.clear();
    let results: Vec<RedisResult<usize>> = producer
        .pipeline(|pipeline| {
            pipeline
                .publish(&channel, b"1")
                .publish("forbidden", b"2")
                .publish(&channel, b"3")
                .get_mut()
                .ignore_errors();
        })
        .await?;
    let codes: Vec<_> = results.iter().map(|it| it.as_ref().err().and_then(redis::RedisError::code)).collect();
    assert_eq!(codes, [None, Some("NOPERM"), None]);
    assert_eq!(attribute(&server.capture.span("publish"), "error.type").as_deref(), Some("NOPERM"));
    Ok(())
}

#[tokio::test]
async fn a_pipeline_that_is_dropped_is_cancelled() -> Result<()> {
    use futures_util::FutureExt as _;
    let server = Server::shared().await?;
    let mut producer = server.producer(Form::Binary).await?;
    let sent = producer.pipeline::<()>(|pipeline| _ = pipeline.publish("orders", b"1")).now_or_never();
    assert!(sent.is_none());
    server.capture.assert_no_open_spans();
    assert_eq!(attribute(&server.capture.span("publish orders"), "error.type").as_deref(), Some("cancelled"));
    soon(producer.publish("orders", b"2")).await??;
    Ok(())
}
