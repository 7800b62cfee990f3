//! What others write into a stream arrives as it is.

use anyhow::{Context as _, Result};
use redis::{AsyncCommands as _, Value};

use crate::server::attribute;
use crate::streams::{Stream, group, next};

#[tokio::test]
async fn entries_of_every_kind_arrive_unchanged_and_in_order() -> Result<()> {
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let other = "00-11111111111111111111111111111111-2222222222222222-01";
    let huge = vec![b'x'; 5_000_000];
    let many: Vec<(Vec<u8>, Vec<u8>)> = (0..20_000).map(|number| (format!("f{number}").into(), vec![0xff])).collect();
    let mut entries: Vec<Vec<(Vec<u8>, Vec<u8>)>> = [
        &[(&b"\xff\xfe"[..], &b"\xff"[..]), (b"", b"")][..],
        &[(b"a", b"1"), (b"a", b"2"), (b"A", b"3"), (b"a", b"1")],
        &[(b"traceparent", b"\xff\0"), (b"tracestate", b"\xff")],
        &[(b"traceparent", b""), (b"baggage", b"")],
        &[(b"traceparent", theirs.as_bytes()), (b"traceparent", other.as_bytes())],
        &[(b"traceparent", theirs.as_bytes()), (b"TRACEPARENT", theirs.as_bytes())],
        &[(b"traceparent", &huge), (b"huge", &huge)],
        &[(&huge[..100_000], b"a huge name")],
        &[(b"x-attempt", b"-1"), (b"x-attempt", b"\xff")],
    ]
    .into_iter()
    .map(|fields| fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
    .collect();
    entries.push(many);

    let mut stream = Stream::new().await?;
    let (name, mut consumer) = (stream.name.clone(), stream.consumer().await?);
    for written in &entries {
        let _: String = stream.plain.xadd(&name, "*", written).await?;
        let entry = next(&mut consumer, &name).await?;
        let attempt = entry.attempt();
        entry
            .process_and_settle(consumer.get_mut(), async |entry| {
                let bytes = |value: &Value| redis::from_redis_value_ref::<Vec<u8>>(value);
                let read = entry.fields().iter().map(|(name, value)| Ok((bytes(name)?, bytes(value)?)));
                let read: Vec<(Vec<u8>, Vec<u8>)> = read.collect::<Result<_, redis::ParsingError>>()?;
                assert!(&read == written, "{:?}", written.first());
                redis::RedisResult::Ok(())
            })
            .await?;
        assert_eq!(attempt, 1);
    }
    let spans = stream.server.capture.spans();
    assert_eq!(spans.len(), entries.len());
    let continued: Vec<_> = spans.iter().map(|span| span.trace_id().to_string() == theirs[3..35]).collect();
    let expected: Vec<_> = (0..entries.len()).map(|place| place == 5).collect();
    assert_eq!(continued, expected, "two different contexts are none, two equal ones are one");
    Ok(())
}

/// Bug that this prevents: redis' own reading fails for the whole reply, while all of its entries have been delivered.
#[tokio::test]
async fn a_name_that_is_not_utf_8_breaks_redis_own_read_and_not_ours() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    let _: String = stream.plain.xadd(&name, "*", &[(b"id", b"1")]).await?;
    let _: String = stream.plain.xadd(&name, "*", &[(b"\xff\xfe", b"2")]).await?;
    let mut consumer = stream.consumer().await?;
    assert_eq!(consumer.xread(&[&name], &["0"]).await?.len(), 2);
    let own: redis::RedisResult<redis::streams::StreamReadReply> = stream.plain.xread(&[&name], &["0"]).await;
    own.expect_err("redis' own");
    Ok(())
}

#[tokio::test]
async fn ids_that_are_no_times_make_no_waiting_time() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, mut consumer) = (stream.name.clone(), stream.consumer().await?);
    for id in ["0-1", "41-7", "18446744073709551615-18446744073709551615"] {
        let _: String = stream.plain.xadd(&name, id, &[("id", "1")]).await?;
        next(&mut consumer, &name).await?.process(async |_| anyhow::Ok(())).await?;
    }
    let waited: Vec<_> =
        stream.server.capture.spans().iter().map(|span| attribute(span, "traced.message.wait.duration")).collect();
    assert_eq!(waited[..2], [None, None]);
    assert!(waited[2].as_deref().is_none_or(|seconds| seconds == "0"), "a time of the future is none: {waited:?}");
    Ok(())
}

#[tokio::test]
async fn a_stream_whose_name_is_not_utf_8_is_read() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = [stream.name.as_bytes(), b"\xff"].concat();
    stream.producer().await?.xadd(&name, "*", &[("id", "42")]).await?;
    let () = stream.plain.xgroup_create(&name, crate::streams::GROUP, "0").await?;
    let mut consumer = stream.consumer().await?;
    let entry = consumer.xread_options(&[&name], &[">"], &group("worker-1")).await?.pop().context("an entry")?;
    assert_eq!(entry.get_ref().stream(), name);
    entry.process_and_settle(consumer.get_mut(), async |_| redis::RedisResult::Ok(())).await?;
    assert!(consumer.xread_options(&[&name], &["0"], &group("worker-1")).await?.is_empty());
    stream.server.capture.assert_one_trace();
    Ok(())
}
