//! Entries that another consumer has left pending: whose they are, and which attempt it is.

use anyhow::{Context as _, Result};
use redis::AsyncCommands as _;
use redis::streams::{StreamAutoClaimOptions, StreamClaimOptions};
use traced_envelope::Relation;
use traced_redis::StreamConsumer;

use crate::server::{Server, attribute, soon};
use crate::streams::{GROUP, Stream, group, next};

#[tokio::test]
async fn a_claimed_entry_has_its_attempt_and_its_trace() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let id = stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?.context("an id")?;
    let mut crashing = stream.consumer().await?;
    let first = next(&mut crashing, name).await?;
    assert_eq!(first.attempt(), 1);
    first.process(async |_| Err::<(), _>(anyhow::anyhow!("crashed"))).await.expect_err("crashed");

    let settings = stream.server.warehouse().receive_spans(true);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings);
    let options = StreamAutoClaimOptions::default().count(10);
    let reply = soon(consumer.xautoclaim_options(name, GROUP, "worker-2", 0, "0-0", options)).await??;
    assert_eq!((reply.next_stream_id.as_str(), reply.claimed.len(), reply.invalid_entries), ("0-0", 1, false));
    let second = reply.claimed.first().context("an entry")?;
    assert_eq!((second.attempt(), second.get_ref().id()), (2, id.as_str()));

    let third = consumer.xclaim(name, GROUP, "worker-3", 0, &[&id]).await?.pop().context("an entry")?;
    assert_eq!(third.attempt(), 3);
    third.process_and_settle(consumer.get_mut(), async |_| redis::RedisResult::Ok(())).await?;
    let span = stream.server.capture.spans().into_iter().rfind(|span| span.name().starts_with("process"));
    let span = span.context("the last attempt")?;
    assert_eq!(attribute(&span, "traced.message.attempt").as_deref(), Some("3"));
    let sent = stream.server.capture.span(&format!("xadd {name}"));
    assert_eq!((span.trace_id(), span.parent_id()), (sent.trace_id(), Some(sent.span_id())));
    for name in [format!("xautoclaim {name}"), format!("xclaim {name}")] {
        assert_eq!(stream.server.capture.span(&name).links()[0].span_context.span_id(), sent.span_id());
    }
    Ok(())
}

#[tokio::test]
async fn an_entry_that_is_read_again_has_its_attempt() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let id = stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?.context("an id")?;
    let mut consumer = stream.consumer().await?;
    next(&mut consumer, name).await?;
    let options = StreamClaimOptions::default().retry(7);
    let claimed = consumer.xclaim_options(name, GROUP, "worker-1", 0, &[&id], options).await?;
    assert_eq!(claimed[0].attempt(), 7);
    // Another entry of the same consumer lies between: each is asked for by itself.
    stream.producer().await?.xadd(name, "*", &[("id", "43")]).await?;
    next(&mut consumer, name).await?;
    let again = consumer.xread_options(&[name], &["0"], &group("worker-1")).await?;
    assert_eq!(
        again.iter().map(traced_redis::TracedEntry::attempt).collect::<Vec<_>>(),
        [8, 2],
        "reading again is another delivery"
    );

    let mut uncounting = stream.consumer().await?.count_deliveries(false);
    let again = uncounting.xread_options(&[name], &["0"], &group("worker-1")).await?;
    assert_eq!(again.iter().map(|entry| entry.get_ref().deliveries()).collect::<Vec<_>>(), [None, None]);
    Ok(())
}

/// Bug that this prevents: a poisonous entry was at its first attempt for ever, where the group could not be asked.
#[tokio::test]
async fn an_entry_whose_count_is_not_known_is_not_at_its_first_attempt() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let id = stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?.context("an id")?;
    next(&mut stream.consumer().await?, name).await?;
    let again = |message: &traced_envelope::Message<'_>| {
        if message.redelivered() { Relation::New } else { Relation::Parent }
    };
    let settings = stream.server.warehouse().relation_with(again);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings).count_deliveries(false);
    let mut entries = consumer.xclaim(name, GROUP, "worker-2", 0, &[&id]).await?;
    entries.extend(consumer.xread_options(&[name], &["0"], &group("worker-2")).await?);
    assert_eq!(entries.len(), 2);
    for entry in entries {
        assert_eq!((entry.get_ref().deliveries(), entry.attempt()), (None, 2));
        entry.process(async |_| anyhow::Ok(())).await?;
    }
    assert_eq!(stream.server.capture.trace_ids().len(), 3, "each knows that it came before");
    let spans = stream.server.capture.spans();
    assert!(spans.iter().all(|span| span.attribute("traced.message.attempt").is_none()));
    Ok(())
}

/// Bug that this prevents: new and old entries of one read all had the properties of the stream's first id.
#[tokio::test]
async fn a_stream_that_is_asked_for_twice_in_one_read_tells_its_entries_apart() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let mut producer = stream.producer().await?;
    producer.xadd(name, "*", &[("id", "1")]).await?;
    let mut consumer = stream.consumer().await?;
    next(&mut consumer, name).await?;
    producer.xadd(name, "*", &[("id", "2")]).await?;
    let entries = consumer.xread_options(&[name, name], &[">", "0"], &group("worker-1")).await?;
    let attempts: Vec<_> = entries.iter().map(|it| (it.get_ref().get::<u64>("id"), it.attempt())).collect();
    assert!(attempts.contains(&(Some(1), 2)), "{attempts:?}");
    Ok(())
}

#[tokio::test]
async fn the_attempt_is_there_for_the_closure_that_decides_the_relation() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?;
    next(&mut stream.consumer().await?, name).await?;
    let link = |message: &traced_envelope::Message<'_>| match message.attempt() {
        0 | 1 => Relation::Parent,
        _ => Relation::New,
    };
    let settings = stream.server.warehouse().relation_with(link);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings);
    let options = StreamAutoClaimOptions::default();
    let claimed = consumer.xautoclaim_options(name, GROUP, "worker-2", 0, "0-0", options).await?.claimed;
    for entry in claimed {
        entry.process(async |_| anyhow::Ok(())).await?;
    }
    assert_eq!(stream.server.capture.trace_ids().len(), 2);
    Ok(())
}

#[tokio::test]
async fn deleted_entries_are_told_and_break_nothing() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let mut producer = stream.producer().await?;
    let mut ids = Vec::new();
    for order in 1..=3 {
        ids.extend(producer.xadd(&name, "*", &[("id", order)]).await?);
    }
    let mut consumer = stream.consumer().await?;
    consumer.xread_options(&[&name], &[">"], &group("worker-1")).await?;
    let deleted: usize = stream.plain.xdel(&name, &[&ids[1]]).await?;
    assert_eq!(deleted, 1);

    // Read again, it has no fields; its handler sees that, and it can be acknowledged.
    let again = consumer.xread_options(&[&name], &["0"], &group("worker-1")).await?;
    assert_eq!(again.iter().map(|entry| entry.get_ref().fields().len()).collect::<Vec<_>>(), [2, 0, 2]);
    let gone = again.into_iter().nth(1).context("the deleted one")?;
    let id = gone.clone().process(async |entry| anyhow::Ok(entry.get::<u64>("id"))).await?;
    assert_eq!(id, None);

    let options = StreamAutoClaimOptions::default();
    let reply = consumer.xautoclaim_options(&name, GROUP, "worker-2", 0, "0-0", options).await?;
    assert_eq!(reply.claimed.iter().map(|entry| entry.get_ref().id()).collect::<Vec<_>>(), [&ids[0], &ids[2]]);
    assert_eq!(reply.deleted_ids, [ids[1].clone()]);
    assert_eq!(reply.claimed.iter().map(traced_redis::TracedEntry::attempt).collect::<Vec<_>>(), [3, 3]);
    let claimed = consumer.xclaim(&name, GROUP, "worker-3", 0, &ids).await?;
    assert_eq!(claimed.len(), 2);
    assert_eq!(gone.start().ack(consumer.get_mut()).await?, 0, "it is not pending any more");
    Ok(())
}

#[tokio::test]
async fn ids_alone_are_entries_without_fields() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let id = stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?.context("an id")?;
    let mut consumer = stream.consumer().await?;
    next(&mut consumer, name).await?;
    let options = StreamAutoClaimOptions::default().with_justid();
    let reply = consumer.xautoclaim_options(name, GROUP, "worker-2", 0, "0-0", options).await?;
    let options = StreamClaimOptions::default().with_justid();
    let claimed = consumer.xclaim_options(name, GROUP, "worker-3", 0, &[&id], options).await?;
    for entry in reply.claimed.into_iter().chain(claimed) {
        assert_eq!((entry.get_ref().id(), entry.get_ref().fields().len()), (id.as_str(), 0));
        assert_eq!(entry.attempt(), 1, "such a claim is no delivery");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_is_the_servers() -> Result<()> {
    let stream = Stream::new().await?;
    let mut consumer = stream.consumer().await?;
    let options = redis::streams::StreamReadOptions::default().group("nobody", "worker-1").block(2000);
    let error = soon(consumer.xread_options(&[&stream.name], &[">"], &options)).await?.expect_err("no such group");
    assert_eq!(error.code(), Some("NOGROUP"));
    let options = StreamAutoClaimOptions::default();
    let error = consumer.xautoclaim_options(&stream.name, "nobody", "worker-1", 0, "0-0", options).await;
    assert_eq!(error.expect_err("no such group").code(), Some("NOGROUP"));
    let settled =
        StreamConsumer::with_settings(stream.connection().await?, &stream.server.warehouse().settle_spans(true));
    let mut settled = settled;
    settled.xack(&stream.name, GROUP, &["nonsense"]).await.expect_err("no id");
    let span = stream.server.capture.span(&format!("xack {}", stream.name));
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("ERR"));
    Ok(())
}

/// Both protocols reply in shapes of their own.
#[tokio::test]
async fn the_newer_protocol_reads_and_claims_the_same() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let resp3 = soon(Server::shared().await?.resp3()?.get_multiplexed_async_connection()).await??;
    let mut consumer = StreamConsumer::with_settings(resp3, &stream.server.warehouse());
    stream.producer().await?.xadd(name, "*", &[("b", "1"), ("a", "2")]).await?;
    let read = next(&mut consumer, name).await?;
    assert_eq!(crate::streams::fields(read.get_ref())[..2], [("b".into(), "1".into()), ("a".into(), "2".into())]);
    let options = StreamAutoClaimOptions::default();
    let claimed = consumer.xautoclaim_options(name, GROUP, "worker-2", 0, "0-0", options).await?.claimed;
    assert_eq!((claimed.len(), claimed[0].attempt()), (1, 2));
    assert!(soon(consumer.xread_options(&[name], &[">"], &group("worker-1").block(600))).await??.is_empty());
    Ok(())
}

/// How many commands of a kind the server has run so far.
async fn calls(connection: &mut redis::aio::MultiplexedConnection, command: &str) -> Result<u64> {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(connection).await?;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    Ok(line.and_then(|line| line.split(',').next()).map_or(Ok(0), str::parse)?)
}

/// Bug that this prevents: each claimed entry was asked for by a command of its own, ten thousand of them in one pipeline.
#[tokio::test]
async fn the_attempts_of_many_claimed_entries_are_asked_for_together() -> Result<()> {
    const ENTRIES: usize = 10_000;
    let mut stream = Stream::of(Server::own().await?).await?;
    let name = stream.name.clone();
    let mut added = redis::pipe();
    for order in 0..ENTRIES {
        added.xadd(&name, "*", &[("id", order)]).ignore();
    }
    let () = soon(added.query_async(&mut stream.plain)).await??;
    // Every third is pending for the one who will claim the rest, and is not idle long enough to be among them.
    let reply: Option<redis::streams::StreamReadReply> =
        soon(stream.plain.xread_options(&[&name], &[">"], &group("crashed").count(ENTRIES))).await??;
    let ours: Vec<_> = reply.context("entries")?.keys[0].ids.iter().step_by(3).map(|entry| entry.id.clone()).collect();
    let options = StreamClaimOptions::default().with_justid().retry(40).idle(0);
    let _: Vec<String> = soon(stream.plain.xclaim_options(&name, GROUP, "worker-2", 0, &ours, options)).await??;
    let others: redis::streams::StreamPendingCountReply =
        stream.plain.xpending_consumer_count(&name, GROUP, "-", "+", ENTRIES, "crashed").await?;
    let ids: Vec<_> = others.ids.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(ids.len() + ours.len(), ENTRIES);
    let aged = StreamClaimOptions::default().with_justid().idle(600_000).retry(6);
    let _: Vec<String> = soon(stream.plain.xclaim_options(&name, GROUP, "crashed", 0, &ids, aged)).await??;

    let before = calls(&mut stream.plain, "xpending").await?;
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(std::time::Duration::from_secs(10)));
    let connection = stream.server.client.get_multiplexed_async_connection_with_config(&patient).await?;
    let mut consumer = StreamConsumer::with_settings(connection, &stream.server.warehouse());
    let options = StreamAutoClaimOptions::default().count(ENTRIES);
    let reply = soon(consumer.xautoclaim_options(&name, GROUP, "worker-2", 60_000, "0-0", options)).await??;
    assert_eq!(reply.claimed.len(), ids.len());
    assert!(reply.claimed.iter().all(|entry| entry.attempt() == 7));
    assert_eq!(calls(&mut stream.plain, "xpending").await? - before, 1);
    Ok(())
}

/// The fall-back: what lies between two entries fills the answer.
#[tokio::test]
async fn entries_that_lie_far_apart_have_their_attempts() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let mut added = redis::pipe();
    for order in 0..100 {
        added.xadd(&name, "*", &[("id", order)]);
    }
    let ids: Vec<String> = soon(added.query_async(&mut stream.plain)).await??;
    let mut consumer = stream.consumer().await?;
    consumer.xread_options(&[&name], &[">"], &group("worker-1")).await?;
    let apart = [&ids[99], &ids[0]];
    let claimed = consumer.xclaim(&name, GROUP, "worker-1", 0, &apart).await?;
    let attempts = claimed.iter().map(|entry| (entry.get_ref().id(), entry.attempt())).collect::<Vec<_>>();
    assert_eq!(attempts, [(ids[99].as_str(), 2), (ids[0].as_str(), 2)]);
    // Over a synchronous connection too.
    let mut blocking =
        StreamConsumer::with_settings(stream.server.client.get_connection()?, &stream.server.warehouse());
    let claimed = blocking.xclaim_blocking(&name, GROUP, "worker-1", 0, &apart)?;
    assert_eq!(claimed.iter().map(traced_redis::TracedEntry::attempt).collect::<Vec<_>>(), [3, 3]);
    Ok(())
}
