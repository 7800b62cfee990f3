//! How a publish ends: each answer of the broker, and none at all.

use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, ErrorKind};
use opentelemetry::trace::Status;
use traced_envelope::testing::Capture;
use traced_rabbitmq::{TracedConfirm, TracedProducer};

use crate::channel::{Rabbit, bare, soon, text};

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

async fn publish(producer: &TracedProducer, exchange: &str, key: &str) -> lapin::Result<TracedConfirm> {
    producer.publish(exchange.into(), key.into(), MANDATORY, b"7", BasicProperties::default()).await
}

/// One span, ended once, without an error or with this one; one message counted, one duration measured, with the same error.
#[track_caller]
fn assert_published(capture: &Capture, destination: &str, error: Option<&str>) {
    let mark = error.map_or_else(String::new, |error| format!("  ✗ {error}"));
    capture.assert_trace(&format!("publish {destination}  shop  PRODUCER{mark}"));
    capture.assert_no_open_spans();
    let is_unset = matches!(capture.span(&format!("publish {destination}")).status(), Status::Unset);
    assert_eq!(is_unset, error.is_none());
    for (name, kind) in
        [("messaging.client.sent.messages", None), ("messaging.client.operation.duration", Some("send"))]
    {
        let metric = capture.metric(name);
        let of = |key| metric.attribute(key).map(ToString::to_string);
        assert_eq!(metric.count().map_or(metric.value(), |count| count as f64), 1.0, "{name}");
        assert_eq!(of("error.type").as_deref(), error, "{name}");
        assert_eq!(of("messaging.operation.type").as_deref(), kind, "{name}");
        assert_eq!(of("messaging.destination.name").as_deref(), Some(destination), "{name}");
        assert_eq!(of("messaging.operation.name").as_deref(), Some("publish"), "{name}");
    }
}

#[tokio::test]
async fn an_ack_ends_the_span_without_an_error() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let confirm = publish(&rabbit.producer(), "", queue.as_str()).await?;
    assert_eq!(rabbit.capture.open_spans().len(), 1, "the span waits for the broker's answer");
    assert_eq!(soon(confirm).await??, Confirmation::Ack(None));
    assert_published(&rabbit.capture, queue.as_str(), None);
    Ok(())
}

#[tokio::test]
async fn a_nack_of_a_full_queue_is_an_error() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let full = [("x-max-length", 1.into()), ("x-overflow", text("reject-publish"))];
    let queue = rabbit.queue_with(full).await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let answer = soon(publish(&rabbit.producer(), "", queue.as_str()).await?).await??;
    assert_eq!(answer, Confirmation::Nack(None));
    assert_published(&rabbit.capture, queue.as_str(), Some("nack"));
    Ok(())
}

#[tokio::test]
async fn a_message_that_comes_back_as_unroutable_is_an_error_although_the_broker_says_ack() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let answer = soon(publish(&rabbit.producer(), "", "nobody").await?).await??;
    assert!(answer.is_ack());
    let returned = answer.take_message().context("lapin's returned message")?;
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(returned.delivery.data, b"7");
    assert_published(&rabbit.capture, "nobody", Some("NO_ROUTE"));
    Ok(())
}

#[tokio::test]
async fn without_confirms_the_span_ends_with_no_answer_and_no_error() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let producer = TracedProducer::with_settings(rabbit.connection.create_channel().await?, &rabbit.shop());
    let answer = soon(publish(&producer, "", queue.as_str()).await?).await??;
    assert_eq!(answer, Confirmation::NotRequested);
    assert_published(&rabbit.capture, queue.as_str(), None);
    Ok(())
}

#[tokio::test]
async fn a_confirm_that_nobody_awaits_ends_the_span_and_is_left_for_wait_for_confirms() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let confirm = publish(&rabbit.producer(), "", "nobody").await?;
    assert!(rabbit.capture.spans().is_empty());
    drop(confirm);
    assert_published(&rabbit.capture, "nobody", None);
    let returned = soon(rabbit.channel.wait_for_confirms()).await??;
    assert_eq!(returned.iter().map(|message| message.reply_code).collect::<Vec<_>>(), [312]);
    assert_eq!(rabbit.capture.spans().len(), 1);
    Ok(())
}

#[tokio::test]
async fn lapins_own_future_can_be_had_and_the_span_ends_there() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let confirm = publish(&rabbit.producer(), "", queue.as_str()).await?.into_inner();
    assert_published(&rabbit.capture, queue.as_str(), None);
    assert_eq!(soon(confirm).await??, Confirmation::Ack(None));
    Ok(())
}

/// lapin has queued the message and waits until another thread has written it, which now and then is faster than this one: then once more.
#[tokio::test]
async fn a_publish_that_is_dropped_while_the_message_is_written_is_no_error_since_it_arrives() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let (queue, producer) = (rabbit.queue().await?, rabbit.producer());
    while publish(&producer, "", queue.as_str()).now_or_never().is_some() {
        rabbit.capture.clear();
        soon(rabbit.channel.wait_for_confirms()).await??;
        rabbit.pull(&queue).await?.context("the message")?;
    }
    assert_published(&rabbit.capture, queue.as_str(), None);
    soon(rabbit.channel.wait_for_confirms()).await??;
    assert!(rabbit.pull(&queue).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_publish_that_is_never_polled_has_no_span() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    drop(publish(&rabbit.producer(), "", "nobody"));
    assert!(rabbit.capture.spans().is_empty());
    assert!(rabbit.capture.metrics().is_empty());
    Ok(())
}

async fn error_of_bare_lapin(channel: &Channel, exchange: &str) -> Result<lapin::Error> {
    match bare(channel, exchange, "key", BasicProperties::default()).await {
        Ok(confirm) => soon(confirm).await?.err().context("an error"),
        Err(error) => Ok(error),
    }
}

#[tokio::test]
async fn a_missing_exchange_gives_lapins_own_error_and_the_span_its_name() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let expected = error_of_bare_lapin(&rabbit.another_channel().await?, "missing").await?;
    let error = soon(publish(&rabbit.producer(), "missing", "key").await?).await?.expect_err("no such exchange");
    assert!(matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404), "{error:?}");
    assert_eq!(error.to_string(), expected.to_string());
    assert_published(&rabbit.capture, "missing:key", Some("NOT_FOUND"));
    let description = Status::error(expected.to_string());
    assert_eq!(*rabbit.capture.span("publish missing:key").status(), description);
    Ok(())
}

#[tokio::test]
async fn a_closed_channel_gives_lapins_own_error_at_once() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    rabbit.channel.close(200, "bye".into()).await?;
    let expected = error_of_bare_lapin(&rabbit.channel, "").await?;
    let error = publish(&rabbit.producer(), "", "key").await.expect_err("the channel is closed");
    assert_eq!(error.to_string(), expected.to_string());
    assert_published(&rabbit.capture, "key", Some("invalid_channel_state"));
    Ok(())
}
