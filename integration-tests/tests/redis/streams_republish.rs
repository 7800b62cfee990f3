//! Sending a consumed entry on: the context of its first producer stays, and nothing is lost or piled up.

use anyhow::{Context as _, Result};
use redis::AsyncCommands as _;
use redis::streams::StreamClaimOptions;
use traced_redis::{Form, TracedProducer};

use crate::server::{traceparent, unique};
use crate::streams::{GROUP, Stream, fields, group, next};

#[tokio::test]
async fn after_several_hops_there_is_one_field_of_each_name_and_the_first_producers_context() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (first, second, third) = (stream.name.clone(), unique("retry"), unique("dead"));
    let () = stream.plain.xgroup_create_mkstream(&second, GROUP, "0").await?;
    stream.producer().await?.xadd(&first, "*", &[("tenant", &b"acme"[..]), ("binary", b"\0\xff")]).await?;
    let mut producer =
        TracedProducer::with_settings(stream.connection().await?, Form::Bare, &stream.server.warehouse());
    let mut consumer = stream.consumer().await?;
    for (from, to) in [(&first, &second), (&second, &second)] {
        let entry = next(&mut consumer, from).await?;
        let attempt = entry.attempt();
        entry.process(async |entry| producer.retry(&entry, attempt, to).await).await?;
    }
    let entry = next(&mut consumer, &second).await?;
    assert_eq!(entry.attempt(), 3);
    let id = entry.process(async |entry| producer.republish(&entry, &third).await).await?;

    let sent = stream.server.capture.span(&format!("xadd {first}"));
    let last = consumer.xread(&[&third], &["0"]).await?.pop().context("the copy")?.into_inner();
    assert_eq!(last.id(), id);
    let names = fields(&last);
    assert_eq!(names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["tenant", "binary", "traceparent"]);
    assert!(names[2].1.starts_with(&traceparent(&sent)));
    assert_eq!(last.get::<Vec<u8>>("binary"), Some(b"\0\xff".to_vec()));
    stream.server.capture.assert_trace(&format!(
        "xadd {first}             shop       PRODUCER
           process {first}        warehouse  CONSUMER  → xadd {first}
             xadd {second}        warehouse  CLIENT    → xadd {first}
           process {second}       warehouse  CONSUMER  → xadd {first}  {{traced.message.attempt=2}}
             xadd {second}        warehouse  CLIENT    → xadd {first}
           process {second}       warehouse  CONSUMER  → xadd {first}  {{traced.message.attempt=3}}
             xadd {third}         warehouse  CLIENT    → xadd {first}"
    ));
    assert_eq!(stream.pending().await?, 0, "the originals are acknowledged");
    Ok(())
}

#[tokio::test]
async fn a_copy_that_cannot_be_added_leaves_the_original_pending() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, text) = (stream.name.clone(), unique("text"));
    let () = stream.plain.set(&text, "no stream").await?;
    let mut producer = stream.producer().await?;
    producer.xadd(&name, "*", &[("id", "42")]).await?;
    let entry = next(&mut stream.consumer().await?, &name).await?.into_inner();
    let error = producer.republish(&entry, &text).await.expect_err("no stream");
    assert_eq!(error.code(), Some("WRONGTYPE"));
    assert_eq!(stream.pending().await?, 1);
    producer.republish(&entry, &unique("dead")).await?;
    assert_eq!(stream.pending().await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_entry_without_a_usable_context_gets_the_copys() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let _: String = stream.plain.xadd(&name, "*", &[("traceparent", "nonsense"), ("id", "42")]).await?;
    let entry = next(&mut stream.consumer().await?, &name).await?.into_inner();
    let dead = unique("dead");
    stream.producer().await?.republish(&entry, &dead).await?;
    let sent = stream.server.capture.span(&format!("xadd {dead}"));
    let copy = stream.consumer().await?.xread(&[&dead], &["0"]).await?.pop().context("the copy")?.into_inner();
    let fields = fields(&copy);
    assert_eq!(fields.len(), 2);
    assert!(fields[1].1.starts_with(&traceparent(&sent)), "{fields:?}");
    Ok(())
}

#[tokio::test]
async fn synchronous_connections_send_on_too() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, dead) = (stream.name.clone(), unique("dead"));
    stream.producer().await?.xadd(&name, "*", &[("id", "42")]).await?;
    let entry = next(&mut stream.consumer().await?, &name).await?.into_inner();
    let (client, settings) = (stream.server.client.clone(), stream.server.warehouse());
    let (target, original) = (dead.clone(), entry.clone());
    tokio::task::spawn_blocking(move || {
        let mut producer = TracedProducer::with_settings(client.get_connection()?, Form::Bare, &settings);
        producer.retry_blocking(&original, 1, &target)?;
        producer.republish_blocking(&original, &target)
    })
    .await??;
    assert_eq!(stream.pending().await?, 0);
    let copies = stream.consumer().await?.xread(&[&dead], &["0"]).await?;
    assert_eq!(copies.iter().map(traced_redis::TracedEntry::attempt).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(copies.iter().map(|copy| copy.get_ref().fields().len()).collect::<Vec<_>>(), [3, 2]);
    Ok(())
}

/// Bug that this prevents: Redis took a copy with nothing but `x-attempt`, and the original was acknowledged: the message was lost.
#[tokio::test]
async fn an_entry_without_fields_stays_pending_whoever_sends_it_on() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let mut producer = stream.producer().await?;
    let id = producer.xadd(&name, "*", &[("id", "42")]).await?.context("an id")?;
    let mut consumer = stream.consumer().await?;
    next(&mut consumer, &name).await?;
    let ids_only = StreamClaimOptions::default().with_justid();
    let mut claimed = consumer.xclaim_options(&name, GROUP, "worker-2", 0, &[&id], ids_only).await?;
    let _: usize = stream.plain.xdel(&name, &[&id]).await?;
    let mut deleted = consumer.xread_options(&[&name], &["0"], &group("worker-2")).await?;
    for entry in [claimed.pop(), deleted.pop()] {
        let entry = entry.context("an entry")?.into_inner();
        assert!(entry.fields().is_empty());
        for error in [producer.retry(&entry, 1, &name).await, producer.republish(&entry, &name).await] {
            assert_eq!(error.expect_err("Redis takes no entry without fields").code(), Some("ERR"));
        }
    }
    assert_eq!(stream.pending().await?, 1);
    let length: usize = stream.plain.xlen(&name).await?;
    assert_eq!(length, 0);
    Ok(())
}
