//! Reads that wait longer than redis waits for an answer.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use redis::{AsyncCommands as _, AsyncConnectionConfig};
use traced_redis::StreamConsumer;

use crate::server::{Server, soon, unique};
use crate::streams::{Stream, group};

/// What this crate is for here: the same read by redis itself fails after half a second, and blocks the connection.
#[tokio::test]
async fn redis_own_read_breaks_at_its_time_limit() -> Result<()> {
    let stream = Stream::new().await?;
    let mut connection = stream.connection().await?;
    let (options, keys) = (group("worker-1").block(2000), [&stream.name]);
    let read = connection.xread_options(&keys, &[">"], &options);
    let read: redis::RedisResult<Option<redis::streams::StreamReadReply>> = soon(read).await?;
    assert!(read.expect_err("too long for redis").is_timeout());
    Ok(())
}

#[tokio::test]
async fn a_long_read_outlives_the_time_limit_and_the_connection_stays_of_use() -> Result<()> {
    let stream = Stream::new().await?;
    let mut consumer = stream.consumer().await?;
    let started = Instant::now();
    let options = group("worker-1").block(1300);
    assert!(soon(consumer.xread_options(&[&stream.name], &[">"], &options)).await??.is_empty());
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(1290), "the whole time, not {waited:?}");
    let () = consumer.get_mut().set(unique("key"), 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_entry_that_comes_late_in_a_long_read_ends_it() -> Result<()> {
    for forever in [true, false] {
        let mut stream = Stream::of(Server::own().await?).await?;
        let (name, mut consumer) = (stream.name.clone(), stream.consumer().await?);
        let options = group("worker-1").block(if forever { 0 } else { 25_000 });
        let keys = [name.clone()];
        let reading = tokio::spawn(async move { consumer.xread_options(&keys, &[">"], &options).await });
        called(&mut stream, "xreadgroup", 3).await?; // pieces, of 250 ms each: longer than redis waits for one answer
        assert!(!reading.is_finished());
        let _: String = stream.plain.xadd(&name, "*", &[("id", "42")]).await?;
        let entries = soon(reading).await???;
        assert_eq!(entries[0].get_ref().get::<u64>("id"), Some(42));
    }
    Ok(())
}

/// Until the server, which nobody else uses, has ended so many of a command.
async fn called(stream: &mut Stream, command: &str, wanted: usize) -> Result<()> {
    let calls = |statistics: &str| {
        let (_, of_command) = statistics.split_once(&format!("cmdstat_{command}:calls="))?;
        of_command.split(',').next()?.parse::<usize>().ok()
    };
    let seen = async {
        loop {
            let statistics: String = redis::cmd("INFO").arg("commandstats").query_async(&mut stream.plain).await?;
            if calls(&statistics).is_some_and(|calls| calls >= wanted) {
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    soon(seen).await?
}

/// So many that some of them are between two pieces whenever an entry comes.
const READERS: usize = 10;

/// Between two pieces the end of the stream would be another one.
#[tokio::test]
async fn reading_from_the_end_in_pieces_loses_nothing() -> Result<()> {
    let mut stream = Stream::of(Server::own().await?).await?;
    let (name, empty) = (stream.name.clone(), unique("empty"));
    let _: String = stream.plain.xadd(&name, "*", &[("id", "before")]).await?;
    let mut reading = Vec::new();
    for _ in 0..READERS {
        let mut consumer = stream.consumer().await?.longest_block(Duration::from_millis(1));
        let keys = [name.clone(), empty.clone()];
        let options = redis::streams::StreamReadOptions::default().block(25_000).count(1);
        reading.push(tokio::spawn(async move { consumer.xread_options(&keys, &["$", "$"], &options).await }));
    }
    // Each of them knows both ends, and is in a piece of a millisecond or, often, between two.
    called(&mut stream, "xrevrange", 2 * READERS).await?;
    let mut pipeline = redis::pipe();
    pipeline.xadd(&empty, "*", &[("id", "first")]).xadd(&empty, "*", &[("id", "second")]);
    let () = pipeline.query_async(&mut stream.plain).await?;
    for reading in reading {
        let entries = soon(reading).await???;
        let read: Vec<_> = entries.iter().filter_map(|entry| entry.get_ref().get::<String>("id")).collect();
        assert_eq!(read, ["first"], "nothing of before, and the first of what came");
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_without_a_limit_can_wait_in_one_piece() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, client) = (stream.name.clone(), &stream.server.client);
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    let connection = soon(client.get_multiplexed_async_connection_with_config(&patient)).await??;
    let settings = stream.server.warehouse();
    let mut consumer = StreamConsumer::with_settings(connection, &settings).longest_block(Duration::MAX);
    let waiting = soon(consumer.xread_options(&[&name], &[">"], &group("worker-1").block(700))).await??;
    assert!(waiting.is_empty());
    let keys = [name.clone()];
    let reading = tokio::spawn(async move { consumer.xread_options(&keys, &[">"], &group("worker-1").block(0)).await });
    let _: String = stream.plain.xadd(&name, "*", &[("id", "42")]).await?;
    assert_eq!(soon(reading).await???.len(), 1);
    Ok(())
}

/// The server does not wait for what a consumer has already: that must not be asked for again and again.
#[tokio::test]
async fn reading_again_what_is_pending_does_not_wait() -> Result<()> {
    let stream = Stream::new().await?;
    let mut consumer = stream.consumer().await?;
    let started = Instant::now();
    let nothing = soon(consumer.xread_options(&[&stream.name], &["0"], &group("worker-1").block(20_000))).await??;
    assert!(nothing.is_empty());
    assert!(started.elapsed() < Duration::from_secs(10));
    Ok(())
}

/// As a `select!` does it.
#[tokio::test]
async fn a_read_that_is_dropped_leaves_the_connection_of_use_and_loses_nothing() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, mut consumer) = (stream.name.clone(), stream.consumer().await?);
    let options = group("worker-1").block(20_000);
    let read = consumer.xread_options(std::slice::from_ref(&name), &[">"], &options);
    assert!(tokio::time::timeout(Duration::from_millis(50), read).await.is_err());
    let _: String = stream.plain.xadd(&name, "*", &[("id", "42")]).await?;
    // The dropped piece may have got the entry: then it is pending.
    let mut entries = soon(consumer.xread_options(&[&name], &[">"], &group("worker-1").block(500))).await??;
    entries.extend(consumer.xread_options(&[&name], &["0"], &group("worker-1")).await?);
    let entry = entries.first().context("the entry, one way or the other")?;
    assert_eq!(entry.get_ref().get::<u64>("id"), Some(42));
    Ok(())
}
