//! Streams: `XADD`, and `XREAD` without a group.

use super::{RUNS, connect, pipelined};
use crate::rounds::{self, Measured, TRACEPARENT, Way, measure};
use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Client};
use std::convert::Infallible;
use std::hint::black_box;
use traced_envelope::propagation::W3cPropagator;
use traced_redis::{Form, Settings, StreamConsumer, TracedProducer};

const STREAM: &str = "throughput-stream";
/// Entries of one answer, and the milliseconds that one is waited for.
const MOST: usize = 100;
const WAIT: usize = 200;

pub(super) async fn compare(client: &Client) -> Result<()> {
    let (adding, reading) = (connect(client).await?, connect(client).await?);
    for (size, messages) in RUNS {
        let title = format!("Redis streams, {size} bytes, {messages} entries a run");
        rounds::compare(&title, async |way| {
            adding.clone().del::<_, usize>(STREAM).await?;
            run(&adding, &reading, way, size, messages).await
        })
        .await?;
    }
    Ok(adding.clone().del(STREAM).await?)
}

async fn run(
    adding: &MultiplexedConnection,
    reading: &MultiplexedConnection,
    way: Way,
    size: usize,
    messages: usize,
) -> Result<Measured> {
    let payload = "x".repeat(size);
    if way == Way::Traced {
        let settings = Settings::default().propagator(W3cPropagator::new());
        let producer = TracedProducer::with_settings(adding.clone(), Form::Binary, &settings);
        let add = pipelined(messages, || {
            let (mut producer, payload) = (producer.clone(), &payload);
            async move { producer.xadd(STREAM, "*", &[("payload", payload)]).await }
        });
        let consumer = StreamConsumer::with_settings(reading.clone(), &settings);
        return measure(messages, async { tokio::try_join!(add, read_traced(consumer, messages)).map(drop) }).await;
    }
    let mut fields = vec![("payload", payload.as_str())];
    if way == Way::WithHeader {
        fields.push(("traceparent", TRACEPARENT));
    }
    let add = pipelined(messages, || {
        let (mut connection, fields) = (adding.clone(), &fields);
        async move { connection.xadd::<_, _, _, _, Option<String>>(STREAM, "*", fields).await }
    });
    measure(messages, async { tokio::try_join!(add, read(reading.clone(), messages)).map(drop) }).await
}

fn options() -> StreamReadOptions {
    StreamReadOptions::default().count(MOST).block(WAIT)
}

async fn read(mut connection: MultiplexedConnection, messages: usize) -> Result<()> {
    let (mut read, mut last) = (0, "0".to_owned());
    while read < messages {
        let reply: Option<StreamReadReply> = connection.xread_options(&[STREAM], &[&last], &options()).await?;
        for entry in reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids) {
            last.clone_from(&entry.id);
            black_box(entry);
            read += 1;
        }
    }
    Ok(())
}

async fn read_traced(mut consumer: StreamConsumer<MultiplexedConnection>, messages: usize) -> Result<()> {
    let (mut read, mut last) = (0, "0".to_owned());
    while read < messages {
        for entry in consumer.xread_options(&[STREAM], &[&last], &options()).await? {
            entry.get_ref().id().clone_into(&mut last);
            entry
                .process(async |entry| {
                    black_box(entry);
                    Ok::<_, Infallible>(())
                })
                .await?;
            read += 1;
        }
    }
    Ok(())
}
