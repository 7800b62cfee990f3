//! Entries within pipelines and transactions.

use anyhow::{Context as _, Result};
use redis::Value;
use traced_envelope::ExistingContext;
use traced_redis::{Form, TracedPipeline, TracedProducer};

use crate::server::{attribute, soon, traceparent, unique};
use crate::streams::{Stream, fields, group};

#[tokio::test]
async fn a_create_span_for_each_entry_and_a_send_span_that_links_them() -> Result<()> {
    for atomic in [false, true] {
        let stream = Stream::new().await?;
        let name = &stream.name;
        let (first, second): (String, String) = stream
            .producer()
            .await?
            .pipeline(|pipeline| {
                if atomic {
                    pipeline.atomic();
                }
                pipeline.xadd(name, "*", &[("id", "1")]).xadd_map(name, "*", &[("id", "2")]);
            })
            .await?;
        let mut consumer = stream.consumer().await?;
        let entries = consumer.xread_options(&[name], &[">"], &group("worker-1")).await?;
        assert_eq!(entries.iter().map(|entry| entry.get_ref().id()).collect::<Vec<_>>(), [&first, &second]);
        for entry in entries {
            entry.process_and_settle(consumer.get_mut(), async |_| redis::RedisResult::Ok(())).await?;
        }
        stream.server.capture.assert_trace(&format!(
            "
            create {name}          shop       PRODUCER
              process {name}       warehouse  CONSUMER  → create {name}

            create {name}          shop       PRODUCER
              process {name}       warehouse  CONSUMER  → create {name}

            xadd {name}            shop       CLIENT  → create {name}  → create {name}  {{messaging.batch.message_count=2}}"
        ));
    }
    Ok(())
}

#[tokio::test]
async fn without_create_spans_the_entries_carry_the_send_spans_context() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let settings = stream.server.shop().create_spans(false);
    let mut producer = TracedProducer::with_settings(stream.connection().await?, Form::Binary, &settings);
    let channel = unique("channel");
    let options = redis::streams::StreamAddOptions::default().nomkstream();
    let trim = redis::streams::StreamMaxlen::Equals(100);
    let results: (usize, String, String, String, String) = producer
        .pipeline(|pipeline| {
            pipeline.publish(&channel, b"1").xadd(name, "*", &[("tracestate", "old=1"), ("id", "1")]);
            pipeline.xadd_options(name, "*", &[("id", "2")], &options);
            pipeline.xadd_maxlen(name, trim, "*", &[("id", "3")]);
            pipeline.xadd_maxlen_map(name, trim, "*", &[("id", "4")]);
        })
        .await?;
    assert_eq!(results.0, 0);
    let sent = stream.server.capture.span("publish");
    let entries = stream.consumer().await?.xread_options(&[name], &[">"], &group("worker-1")).await?;
    assert_eq!(entries.len(), 4);
    for (number, entry) in (1..).zip(entries) {
        let fields = fields(entry.get_ref());
        assert_eq!(fields.len(), 2, "{fields:?}");
        assert_eq!(fields[0], ("id".to_owned(), number.to_string()));
        assert!(fields[1].0 == "traceparent" && fields[1].1.starts_with(&traceparent(&sent)), "{fields:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_kept_context_needs_no_create_span() -> Result<()> {
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let stream = Stream::new().await?;
    let name = &stream.name;
    let settings = stream.server.shop().existing_context(ExistingContext::Keep);
    let mut producer = TracedProducer::with_settings(stream.connection().await?, Form::Binary, &settings);
    let _: Value = producer
        .pipeline(|pipeline| _ = pipeline.xadd(name, "*", &[("traceparent", theirs)]).xadd(name, "*", &[("id", "2")]))
        .await?;
    let names: Vec<_> = stream.server.capture.spans().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, [format!("create {name}"), format!("xadd {name}")]);
    let sent = stream.server.capture.span(&format!("xadd {name}"));
    assert_eq!(sent.links()[0].span_context.trace_id().to_string(), theirs[3..35]);
    assert_eq!(sent.links().len(), 2);
    let entries = stream.consumer().await?.xread_options(&[name], &[">"], &group("worker-1")).await?;
    let first = entries.first().context("an entry")?;
    assert_eq!(fields(first.get_ref()), [("traceparent".to_owned(), theirs.to_owned())]);
    Ok(())
}

#[tokio::test]
async fn an_error_of_one_entry_is_the_send_spans() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (name, text) = (stream.name.clone(), unique("text"));
    let () = redis::AsyncCommands::set(&mut stream.plain, &text, "no stream").await?;
    let commands = |pipeline: &mut TracedPipeline<'_>| {
        pipeline.get_mut().ignore_errors();
        pipeline.xadd(&name, "*", &[("id", "1")]).xadd(&text, "*", &[("id", "2")]);
    };
    let results: Vec<redis::RedisResult<String>> = soon(stream.producer().await?.pipeline(commands)).await??;
    assert!(results[0].is_ok());
    assert_eq!(results[1].as_ref().expect_err("no stream").code(), Some("WRONGTYPE"));
    let sent = stream.server.capture.span("xadd");
    assert_eq!(attribute(&sent, "error.type").as_deref(), Some("WRONGTYPE"));
    Ok(())
}
