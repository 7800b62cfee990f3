//! Reading entries: relations, endings, batches, spans for reading and acknowledging.

use anyhow::{Context as _, Result, anyhow};
use futures_util::FutureExt as _;
use opentelemetry::trace::{SpanKind, Tracer as _};
use redis::{AsyncCommands as _, RedisResult};
use std::panic::AssertUnwindSafe;
use traced_envelope::testing::CapturedSpan;
use traced_redis::{Entry, Outcome, StreamConsumer};

use crate::server::{attribute, soon, unique};
use crate::streams::{GROUP, Stream, group, next};

fn attributes(span: &CapturedSpan) -> Vec<(String, String)> {
    let mut attributes: Vec<_> =
        span.attributes().iter().map(|it| (it.key.to_string(), it.value.to_string())).collect();
    attributes.retain(|(key, _)| key != "traced.message.wait.duration");
    attributes.sort();
    attributes
}

#[tokio::test]
async fn spans_and_metrics_say_what_the_conventions_ask_for() -> Result<()> {
    let stream = Stream::new().await?;
    let (name, server) = (&stream.name, &stream.server);
    let id = stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?.context("an id")?;
    let settings = server.warehouse().server("redis.internal", 6379).receive_spans(true).settle_spans(true);
    let settings = settings.message_sizes(true);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings);
    let entry = next(&mut consumer, name).await?;
    entry.process_and_settle(consumer.get_mut(), async |_| RedisResult::Ok(())).await?;

    let common = |own: &[(&str, &str)]| {
        let mut all: Vec<(String, String)> = [
            ("messaging.consumer.group.name", GROUP),
            ("messaging.destination.name", name),
            ("messaging.system", "redis"),
            ("server.address", "redis.internal"),
            ("server.port", "6379"),
        ]
        .iter()
        .chain(own)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
        all.sort();
        all
    };
    let (id, process) = (id.as_str(), server.capture.span(&format!("process {name}")));
    assert_eq!((process.kind(), process.scope().name()), (SpanKind::Consumer, "traced-redis"));
    assert_eq!(
        attributes(&process),
        common(&[
            ("messaging.message.body.size", "4"),
            ("messaging.message.id", id),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("traced.message.attempt", "1"),
        ])
    );
    let waited = process.attribute("traced.message.wait.duration").context("the time that it waited")?;
    assert!(matches!(waited, opentelemetry::Value::F64(seconds) if (0.0..60.0).contains(seconds)), "{waited}");
    let receive = server.capture.span(&format!("xreadgroup {name}"));
    assert_eq!(receive.kind(), SpanKind::Client);
    assert_eq!(
        attributes(&receive),
        common(&[
            ("messaging.batch.message_count", "1"),
            ("messaging.operation.name", "xreadgroup"),
            ("messaging.operation.type", "receive"),
        ])
    );
    let settle = server.capture.span(&format!("xack {name}"));
    assert_eq!((settle.kind(), settle.parent_id()), (SpanKind::Client, Some(process.span_id())));
    assert_eq!(
        attributes(&settle),
        common(&[
            ("messaging.message.id", id),
            ("messaging.operation.name", "xack"),
            ("messaging.operation.type", "settle"),
        ])
    );
    let sent = server.capture.span(&format!("xadd {name}"));
    for span in [&receive, &settle] {
        assert_eq!(span.links()[0].span_context.span_id(), sent.span_id());
    }
    assert_eq!(server.capture.metric("messaging.client.sent.messages").value(), 1.0);
    let consumed = server.capture.metric("messaging.client.consumed.messages");
    assert_eq!((consumed.value(), consumed.attribute("messaging.consumer.group.name")), (1.0, Some(&GROUP.into())));
    Ok(())
}

#[tokio::test]
async fn an_empty_read_has_no_span_and_by_default_none_has() -> Result<()> {
    let mut stream = Stream::new().await?;
    let asking = stream.server.warehouse().receive_spans(true);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &asking);
    let name = stream.name.clone();
    assert!(consumer.xread_options(&[&name], &[">"], &group("worker-1").block(5)).await?.is_empty());
    assert!(consumer.xread_options(&[&name], &["0"], &group("worker-1")).await?.is_empty());
    assert!(consumer.xread(&[&name], &["0"]).await?.is_empty());
    let _: String = stream.plain.xadd(&name, "*", &[("id", "1")]).await?;
    next(&mut stream.consumer().await?, &name).await?;
    assert!(stream.server.capture.spans().is_empty());
    consumer.xread(&[&name], &["0"]).await?;
    let read = stream.server.capture.span(&format!("xread {name}"));
    assert!(read.attribute("messaging.consumer.group.name").is_none());
    Ok(())
}

#[tokio::test]
async fn a_handlers_result_comes_back_unchanged_and_decides_status_and_acknowledgement() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let (mut consumer, mut producer) = (stream.consumer().await?, stream.producer().await?);
    for order in 1..=7 {
        producer.xadd(&name, "*", &[("id", order)]).await?;
    }
    let mut acks = stream.connection().await?;
    let id = next(&mut consumer, &name)
        .await?
        .process_and_settle(&mut acks, async |entry| anyhow::Ok(entry.get::<u64>("id")));
    assert_eq!(id.await?, Some(1));
    assert_eq!(stream.pending().await?, 0);
    let failing = next(&mut consumer, &name).await?;
    let error = failing.process_and_settle(&mut acks, async |_| Err::<(), _>(anyhow!("out of stock"))).await;
    assert_eq!(error.expect_err("the handler's").to_string(), "out of stock");
    assert_eq!(stream.pending().await?, 1, "it stays pending");
    let rows =
        next(&mut consumer, &name).await?.process_with(async |_| 0, |_| Outcome::error("nothing_stored", "no row"));
    assert_eq!(rows.await, 0);
    let error = next(&mut consumer, &name).await?.process_blocking(|_| Err::<(), _>(anyhow!("out of stock")));
    assert!(error.is_err());
    let panicking = next(&mut consumer, &name).await?;
    let panicking =
        panicking.process_and_settle::<_, _, _, (), anyhow::Error>(&mut acks, async |_| panic!("on purpose"));
    assert!(AssertUnwindSafe(panicking).catch_unwind().await.is_err());
    let pending = next(&mut consumer, &name).await?.process_and_settle(&mut acks, async |_| {
        std::future::pending::<()>().await;
        anyhow::Ok(())
    });
    assert!(pending.now_or_never().is_none());
    // The acknowledgement fails: another key has the name now.
    let last = next(&mut consumer, &name).await?;
    let () = stream.plain.set(&name, "no stream any more").await?;
    let error = last.process_and_settle(&mut acks, async |_| RedisResult::Ok(())).await;
    assert_eq!(error.expect_err("no stream").code(), Some("WRONGTYPE"));

    let spans = stream.server.capture.spans();
    let of_handlers = spans.iter().filter(|span| span.service() == "warehouse");
    let kinds: Vec<_> = of_handlers.map(|span| attribute(span, "error.type").unwrap_or_default()).collect();
    assert_eq!(kinds, ["", "_OTHER", "nothing_stored", "_OTHER", "panic", "cancelled", "WRONGTYPE"]);
    stream.server.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn a_started_entry_is_open_until_it_is_acknowledged_finished_or_dropped() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let (mut consumer, mut producer) = (stream.consumer().await?, stream.producer().await?);
    for order in 1..=3 {
        producer.xadd(&name, "*", &[("id", order)]).await?;
    }
    let first = next(&mut consumer, &name).await?.start();
    let guard = first.context().clone().attach();
    stream.server.capture.tracer("warehouse").in_span("reserve stock", |_| ());
    drop(guard);
    assert_eq!(stream.server.capture.open_spans().len(), 1);
    assert_eq!(first.ack(consumer.get_mut()).await?, 1);
    let second = next(&mut consumer, &name).await?.start();
    assert_eq!(second.finish(Outcome::error("later", "not now")).get::<u64>("id"), Some(2));
    drop(next(&mut consumer, &name).await?.start());
    assert_eq!(stream.pending().await?, 2);
    let spans = stream.server.capture.spans();
    let processed = spans.iter().filter(|span| span.name().starts_with("process"));
    let kinds: Vec<_> = processed.map(|span| attribute(span, "error.type").unwrap_or_default()).collect();
    assert_eq!(kinds, ["", "later", "cancelled"]);
    stream.server.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn entries_are_processed_in_tasks_of_their_own_without_cross_talk() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let mut producer = stream.producer().await?;
    for order in 0..20 {
        producer.xadd(&name, "*", &[("id", order)]).await?;
    }
    let (mut consumer, acks) = (stream.consumer().await?, stream.connection().await?);
    let entries = consumer.xread_options(&[&name], &[">"], &group("worker-1").count(20)).await?;
    let tasks = entries.into_iter().map(|entry| {
        let (mut acks, tracer) = (acks.clone(), stream.server.capture.tracer("warehouse"));
        tokio::spawn(async move {
            entry
                .process_and_settle(&mut acks, async |entry: Entry| {
                    tokio::task::yield_now().await;
                    tracer.in_span(format!("reserve {}", entry.get::<u64>("id").unwrap_or_default()), |_| ());
                    RedisResult::Ok(())
                })
                .await
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        soon(task).await???;
    }
    assert_eq!(stream.pending().await?, 0);
    let forest = stream.server.capture.forest();
    assert_eq!((forest.roots().count(), forest.spans().len()), (20, 60));
    for root in forest.roots() {
        let processed: Vec<_> = root.children().collect();
        assert_eq!((processed.len(), processed[0].children().count()), (1, 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_has_one_span_that_links_each_creation_context_once() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, other) = (stream.name.clone(), unique("returns"));
    let () = stream.plain.xgroup_create_mkstream(&other, GROUP, "0").await?;
    let mut producer = stream.producer().await?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.extend(producer.xadd(&name, "*", &[("id", 1)]).await?);
    }
    let mut consumer = stream.consumer().await?;
    let entries = consumer.xread_options(&[&name], &[">"], &group("worker-1")).await?;
    let read = consumer.process_batch(entries, async |entries| {
        anyhow::Ok(entries.iter().map(|entry| entry.id().to_owned()).collect::<Vec<_>>())
    });
    assert_eq!(read.await?, ids);
    assert_eq!(consumer.xack(&name, GROUP, &ids).await?, 3);
    let span = stream.server.capture.span(&format!("process {name}"));
    assert_eq!(attribute(&span, "messaging.batch.message_count").as_deref(), Some("3"));
    assert_eq!(attribute(&span, "messaging.consumer.group.name").as_deref(), Some(GROUP));
    let linked: Vec<_> = span.links().iter().map(|link| link.attributes[0].value.to_string()).collect();
    assert_eq!(linked, ids);

    // Of two streams; one of the entries is read twice.
    stream.server.capture.clear();
    producer.xadd(&name, "*", &[("id", 1)]).await?;
    producer.xadd(&other, "*", &[("id", 2)]).await?;
    let mut entries = consumer.xread_options(&[&name, &other], &[">", ">"], &group("worker-1")).await?;
    entries.extend(consumer.xread_options(&[&name], &["0"], &group("worker-1")).await?);
    assert_eq!(entries.len(), 3);
    consumer.process_batch_blocking(entries, |_| Err::<(), _>(anyhow!("out of stock"))).expect_err("the handler's");
    let span = stream.server.capture.span("process");
    assert!(span.is_error() && span.attribute("messaging.destination.name").is_none());
    let streams = span.links().iter().filter_map(|link| {
        link.attributes.iter().find(|it| it.key.as_str() == "messaging.destination.name").map(|it| it.value.to_string())
    });
    assert_eq!(streams.collect::<Vec<_>>(), [name, other]);
    Ok(())
}

#[tokio::test]
async fn without_a_group_nothing_is_acknowledged() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    stream.producer().await?.xadd(&name, "*", &[("id", "1")]).await?;
    let settings = stream.server.warehouse().settle_spans(true);
    let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &settings);
    let entry = consumer.xread(&[&name], &["0"]).await?.pop().context("an entry")?;
    assert_eq!((entry.get_ref().group(), entry.attempt()), (None, 1));
    entry.clone().process_and_settle(consumer.get_mut(), async |_| RedisResult::Ok(())).await?;
    assert_eq!(entry.start().ack(consumer.get_mut()).await?, 0);
    // Nor with `NOACK`: the group forgets the entry when it is read.
    let mut read = consumer.xread_options(&[&name], &[">"], &group("worker-1").noack()).await?;
    assert_eq!(stream.pending().await?, 0);
    read.pop().context("an entry")?.process_and_settle(consumer.get_mut(), async |_| RedisResult::Ok(())).await?;
    assert!(stream.server.capture.spans().iter().all(|span| !span.name().starts_with("xack")));
    Ok(())
}

/// As an instrumentation of another language writes it, by hand.
#[tokio::test]
async fn a_foreign_writers_traceparent_continues_its_trace() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let written = [("traceparent", theirs), ("tracestate", "congo=t61"), ("baggage", "tenant.id=acme"), ("id", "42")];
    let _: String = stream.plain.xadd(&name, "*", &written).await?;
    let entry = next(&mut stream.consumer().await?, &name).await?;
    entry
        .process(async |entry| {
            use opentelemetry::baggage::BaggageExt as _;
            let context = opentelemetry::Context::current();
            assert_eq!(context.baggage().get("tenant.id").map(ToString::to_string).as_deref(), Some("acme"));
            assert_eq!(entry.get("traceparent"), Some(theirs.to_owned()), "the handler sees all fields");
            anyhow::Ok(())
        })
        .await?;
    let span = stream.server.capture.span(&format!("process {name}"));
    assert_eq!(span.trace_id().to_string(), theirs[3..35]);
    assert_eq!(span.parent_id().map(|id| id.to_string()).as_deref(), Some(&theirs[36..52]));
    assert_eq!(span.trace_state().header(), "congo=t61");
    Ok(())
}
