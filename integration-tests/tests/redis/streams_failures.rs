//! Commands on streams that fail: what the caller gets is redis' own, and what the spans say has the same name everywhere.

use anyhow::{Context as _, Result};
use redis::AsyncCommands as _;
use redis::streams::StreamAutoClaimOptions;
use traced_redis::StreamConsumer;

use crate::server::{attribute, soon, unique};
use crate::streams::{GROUP, Stream, group, next};

/// Bug that this prevents: an outage was seen in no receive span, and in no duration.
#[tokio::test]
async fn a_read_or_claim_that_fails_has_a_receive_span_with_the_error() -> Result<()> {
    let mut stream = Stream::new().await?;
    let text = unique("text");
    let () = stream.plain.set(&text, "no stream").await?;
    let settings = stream.server.warehouse().receive_spans(true);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings);
    let options = group("worker-1").block(600);
    let claim = StreamAutoClaimOptions::default;
    let errors = [
        soon(consumer.xread(&[&text], &["0"])).await?.err(),
        soon(consumer.xread_options(&[&text, &stream.name], &["$", "0"], &options)).await?.err(),
        soon(consumer.xclaim(&text, "nobody", "worker-1", 0, &["1-0"])).await?.err(),
        soon(consumer.xautoclaim_options(&stream.name, "nobody", "worker-1", 0, "0", claim())).await?.err(),
    ];
    let (client, name, key) = (stream.server.client.clone(), stream.name.clone(), text.clone());
    let of_blocking = tokio::task::spawn_blocking(move || {
        let mut consumer = StreamConsumer::with_settings(client.get_connection()?, &settings);
        redis::RedisResult::Ok([
            consumer.xread_blocking(&[&key], &["0"]).err(),
            consumer.xread_options_blocking(&[&key, &name], &[">", ">"], &options).err(),
            consumer.xclaim_blocking(&key, "nobody", "worker-1", 0, &["1-0"]).err(),
            consumer.xautoclaim_options_blocking(&name, "nobody", "worker-1", 0, "0", claim()).err(),
        ])
    });
    let errors = errors.into_iter().chain(soon(of_blocking).await???);
    let codes: Vec<_> = errors.map(|error| error.and_then(|error| error.code().map(str::to_owned))).collect();
    assert!(codes.iter().all(Option::is_some), "{codes:?}");

    let spans = stream.server.capture.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name().to_owned()).collect();
    let each =
        [format!("xread {text}"), "xreadgroup".into(), format!("xclaim {text}"), format!("xautoclaim {}", stream.name)];
    assert_eq!(names, [&each[..], &each[..]].concat());
    assert_eq!(spans.iter().map(|span| attribute(span, "error.type")).collect::<Vec<_>>(), codes);
    let durations =
        stream.server.capture.metrics().into_iter().filter(|it| it.name() == "messaging.client.operation.duration");
    assert_eq!(durations.filter_map(|it| it.count()).sum::<u64>(), 8);

    // One that has waited in vain has not failed.
    stream.server.capture.clear();
    assert!(soon(consumer.xread_options(&[&stream.name], &[">"], &group("worker-1").block(300))).await??.is_empty());
    assert!(stream.server.capture.spans().is_empty());
    Ok(())
}

/// Bug that this prevents: `error.type` was the type of the error that the application made of it.
#[tokio::test]
async fn an_acknowledgement_that_fails_has_its_own_name_whichever_way_it_is_sent() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let mut producer = stream.producer().await?;
    for order in 1..=3 {
        producer.xadd(&name, "*", &[("id", order)]).await?;
    }
    let mut consumer = stream.consumer().await?;
    let mut entries = Vec::new();
    for _ in 1..=3 {
        entries.push(next(&mut consumer, &name).await?);
    }
    let () = stream.plain.del(&name).await?;
    let () = stream.plain.set(&name, "no stream").await?;
    let [first, second, third] = <[_; 3]>::try_from(entries).ok().context("three")?;
    first.process_and_settle(consumer.get_mut(), async |_| anyhow::Ok(())).await.expect_err("no stream");
    second.start().ack(consumer.get_mut()).await.expect_err("no stream");
    let client = stream.server.client.clone();
    let settling = move || third.process_and_settle_blocking(&mut client.get_connection()?, |_| anyhow::Ok(()));
    soon(tokio::task::spawn_blocking(settling)).await??.expect_err("no stream");
    let spans = stream.server.capture.spans();
    let processed = spans.iter().filter(|span| span.name() == format!("process {name}"));
    let kinds: Vec<_> = processed.map(|span| attribute(span, "error.type").unwrap_or_default()).collect();
    assert_eq!(kinds, ["WRONGTYPE"; 3]);
    Ok(())
}

/// As the conventions have it: a count is for batches.
#[tokio::test]
async fn an_acknowledgement_of_one_entry_names_it_and_of_several_counts_them() -> Result<()> {
    let stream = Stream::new().await?;
    let settings = stream.server.warehouse().settle_spans(true);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings);
    for (ids, expected) in [(&["1-0"][..], (None, Some("1-0"))), (&["1-0", "2-0"], (Some("2"), None))] {
        stream.server.capture.clear();
        assert_eq!(consumer.xack(&stream.name, GROUP, ids).await?, 0);
        let span = stream.server.capture.span(&format!("xack {}", stream.name));
        let count = attribute(&span, "messaging.batch.message_count");
        let id = attribute(&span, "messaging.message.id");
        assert_eq!((count.as_deref(), id.as_deref()), expected);
    }
    Ok(())
}
