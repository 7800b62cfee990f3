//! Adding entries, and what travels.

use anyhow::{Context as _, Result};
use opentelemetry::trace::SpanKind;
use opentelemetry_propagator_b3::{B3Encoding, Propagator as B3};
use redis::cluster::ClusterClient;
use redis::streams::{
    StreamAddOptions, StreamMaxlen, StreamRangeReply, StreamReadOptions, StreamTrimStrategy, StreamTrimmingMode,
};
use redis::{AsyncCommands as _, Value};
use test_brokers::RedisCluster;
use traced_envelope::{ExistingContext, Settings};
use traced_redis::{Form, StreamConsumer, TracedProducer};

use crate::server::{Server, attribute, soon, traceparent, unique};
use crate::streams::{GROUP, Stream, fields, next};

#[tokio::test]
async fn one_trace_from_producer_to_consumer() -> Result<()> {
    let stream = Stream::new().await?;
    let name = &stream.name;
    let id = stream.producer().await?.xadd(name, "*", &[("id", "42")]).await?.context("an id")?;
    let mut consumer = stream.consumer().await?;
    let tracer = stream.server.capture.tracer("warehouse");
    next(&mut consumer, name)
        .await?
        .process(async |entry| {
            assert_eq!(entry.get::<u64>("id"), Some(42));
            opentelemetry::trace::Tracer::in_span(&tracer, "reserve stock", |_| ());
            anyhow::Ok(())
        })
        .await?;
    stream.server.capture.assert_trace(&format!(
        "xadd {name}               shop       PRODUCER  {{messaging.message.id={id}}}
           process {name}          warehouse  CONSUMER  → xadd {name}  {{messaging.message.id={id}}}
             reserve stock         warehouse  INTERNAL"
    ));
    Ok(())
}

/// Any language reads them: `XRANGE` shows plain fields, and the application's first, in their order.
#[tokio::test]
async fn the_context_travels_in_native_fields_after_the_applications() -> Result<()> {
    let mut stream = Stream::new().await?;
    let name = stream.name.clone();
    stream.producer().await?.xadd(&name, "*", &[("b", &b"1"[..]), ("a", b"\xff\0"), ("b", b"")]).await?;
    let sent = stream.server.capture.span(&format!("xadd {name}"));
    let raw: Value = redis::cmd("XRANGE").arg(&name).arg("-").arg("+").query_async(&mut stream.plain).await?;
    let entries = raw.as_sequence().context("entries")?;
    let fields = entries[0].as_sequence().context("an entry")?[1].as_sequence().context("fields")?;
    let fields: Vec<Vec<u8>> = fields.iter().map(redis::from_redis_value_ref).collect::<Result<_, _>>()?;
    let (own, ours) = fields.split_at(6);
    assert_eq!(own, [&b"b"[..], b"1", b"a", b"\xff\0", b"b", b""]);
    assert_eq!(ours[0], b"traceparent");
    assert!(ours[1].starts_with(traceparent(&sent).as_bytes()) && ours[1].len() == 55);
    assert_eq!(ours.len(), 2, "an empty tracestate is not written");
    Ok(())
}

#[tokio::test]
async fn the_form_of_channels_does_not_matter_for_streams() -> Result<()> {
    let stream = Stream::new().await?;
    let mut producer = stream.server.producer(Form::Binary).await?;
    producer.xadd(&stream.name, "*", &[("id", "42")]).await?;
    let entry = next(&mut stream.consumer().await?, &stream.name).await?.into_inner();
    assert_eq!(fields(&entry)[0], ("id".to_owned(), "42".to_owned()));
    Ok(())
}

#[tokio::test]
async fn options_and_maps_are_redis_own() -> Result<()> {
    let mut stream = Stream::new().await?;
    let mut producer = stream.producer().await?;
    let absent = unique("absent");
    let nothing =
        producer.xadd_options(&absent, "*", &[("id", "1")], &StreamAddOptions::default().nomkstream()).await?;
    assert_eq!(nothing, None);
    let span = stream.server.capture.span(&format!("xadd {absent}"));
    assert!(!span.is_error() && span.attribute("messaging.message.id").is_none());

    let trim = StreamTrimStrategy::maxlen(StreamTrimmingMode::Exact, 2);
    let name = stream.name.clone();
    producer.xadd_map(&name, "1-1", std::collections::BTreeMap::from([("a", "1"), ("b", "2")])).await?;
    producer.xadd_options(&name, "1-2", &[("a", "2")], &StreamAddOptions::default().trim(trim)).await?;
    producer.xadd_maxlen(&name, StreamMaxlen::Equals(2), "1-3", &[("a", "3")]).await?;
    let map = std::collections::BTreeMap::from([("a", "4")]);
    assert_eq!(producer.xadd_maxlen_map(&name, StreamMaxlen::Equals(2), "1-4", map).await?.as_deref(), Some("1-4"));
    let left: StreamRangeReply = stream.plain.xrange_all(&name).await?;
    assert_eq!(left.ids.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["1-3", "1-4"]);
    assert!(left.ids.iter().all(|entry| entry.contains_key("traceparent")));
    Ok(())
}

#[tokio::test]
async fn an_error_is_the_servers_and_the_spans() -> Result<()> {
    let mut stream = Stream::new().await?;
    let (text, mut producer) = (unique("text"), stream.producer().await?);
    let () = stream.plain.set(&text, "no stream").await?;
    let error = producer.xadd(&text, "*", &[("id", "1")]).await.expect_err("no stream");
    assert_eq!(error.code(), Some("WRONGTYPE"));
    assert_eq!(
        attribute(&stream.server.capture.span(&format!("xadd {text}")), "error.type").as_deref(),
        Some("WRONGTYPE")
    );

    let none: [(&str, &str); 0] = [];
    let ours = producer.xadd(&stream.name, "*", &none).await.expect_err("no fields");
    let native: redis::RedisResult<Option<String>> = stream.plain.xadd(&stream.name, "*", &none).await;
    assert_eq!(ours.to_string(), native.expect_err("no fields").to_string());
    let ours = producer.xadd_map(&stream.name, "*", &["odd"]).await.expect_err("a name without a value");
    assert_eq!(ours.code(), Some("ERR"));
    assert_eq!(stream.pending().await?, 0);
    let length: usize = stream.plain.xlen(&stream.name).await?;
    assert_eq!(length, 0, "nothing was added because of our fields");
    Ok(())
}

#[tokio::test]
async fn a_context_among_the_given_fields_is_replaced_or_kept() -> Result<()> {
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let given = [("Traceparent", theirs), ("id", "42"), ("traceparent", theirs), ("tracestate", "a=1")];
    let stream = Stream::new().await?;
    stream.producer().await?.xadd(&stream.name, "*", &given).await?;
    let keep = stream.server.shop().existing_context(ExistingContext::Keep);
    let mut keeping = TracedProducer::with_settings(stream.connection().await?, Form::Bare, &keep);
    keeping.xadd(&stream.name, "*", &given).await?;

    let mut consumer = stream.consumer().await?;
    let replaced = fields(&next(&mut consumer, &stream.name).await?.into_inner());
    assert_eq!(replaced.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["id", "traceparent"]);
    let kept = fields(&next(&mut consumer, &stream.name).await?.into_inner());
    assert_eq!(kept, given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let spans = stream.server.capture.spans();
    assert_eq!(spans.iter().map(|span| span.kind()).collect::<Vec<_>>(), [SpanKind::Producer, SpanKind::Client]);
    for span in spans {
        assert_eq!(span.links()[0].span_context.trace_id().to_string(), theirs[3..35]);
    }
    Ok(())
}

#[tokio::test]
async fn synchronous_connections_add_and_read() -> Result<()> {
    let stream = Stream::new().await?;
    let (name, client) = (stream.name.clone(), stream.server.client.clone());
    let (shop, warehouse) = (stream.server.shop(), stream.server.warehouse().settle_spans(true));
    let read = tokio::task::spawn_blocking(move || {
        let mut producer = TracedProducer::with_settings(client.get_connection()?, Form::Bare, &shop);
        producer.xadd_blocking(&name, "*", &[("id", "1")])?;
        producer.xadd_map_blocking(&name, "*", &[("id", "2")])?;
        producer.xadd_options_blocking(&name, "*", &[("id", "3")], &StreamAddOptions::default())?;
        producer.xadd_maxlen_blocking(&name, StreamMaxlen::Equals(10), "*", &[("id", "4")])?;
        producer.xadd_maxlen_map_blocking(&name, StreamMaxlen::Equals(10), "*", &[("id", "5")])?;
        let mut consumer = StreamConsumer::with_settings(client.get_connection()?, &warehouse);
        assert_eq!(consumer.xread_blocking(&[&name], &["0"])?.len(), 5);
        let options = StreamReadOptions::default().group(GROUP, "worker-1").block(1000);
        let mut read = Vec::new();
        for entry in consumer.xread_options_blocking(&[&name], &[">"], &options)? {
            entry.process_and_settle_blocking(consumer.get_mut(), |entry| {
                read.extend(entry.get::<u64>("id"));
                redis::RedisResult::Ok(())
            })?;
        }
        assert!(consumer.xread_options_blocking(&[&name], &["0"], &options)?.is_empty(), "all are acknowledged");
        anyhow::Ok(read)
    });
    assert_eq!(soon(read).await???, [1, 2, 3, 4, 5]);
    assert_eq!(stream.server.capture.trace_ids().len(), 5);
    let name = &stream.name;
    stream.server.capture.forest().roots().for_each(|root| {
        let processed: Vec<_> = root.children().collect();
        assert_eq!(processed[0].span().name(), format!("process {name}"));
        assert_eq!(processed[0].children().next().map(|it| it.span().name().to_owned()), Some(format!("xack {name}")));
    });
    Ok(())
}

#[tokio::test]
async fn a_connection_manager_and_a_cluster_add_and_read() -> Result<()> {
    let server = Server::shared().await?;
    let cluster = RedisCluster::shared().await?;
    let manager = soon(server.client.get_connection_manager()).await??;
    let of_cluster = soon(ClusterClient::new(vec![cluster.url()])?.get_async_connection()).await??;
    add_and_read(&server, manager).await?;
    add_and_read(&server, of_cluster).await?;
    assert_eq!(server.capture.trace_ids().len(), 2);
    Ok(())
}

async fn add_and_read<C>(server: &Server, mut connection: C) -> Result<()>
where
    C: redis::aio::ConnectionLike + Clone + Send + Sync,
{
    let name = unique("orders");
    let () = connection.xgroup_create_mkstream(&name, GROUP, "0").await?;
    let mut producer = TracedProducer::with_settings(connection.clone(), Form::Bare, &server.shop());
    producer.xadd(&name, "*", &[("id", "42")]).await?;
    let mut consumer = StreamConsumer::with_settings(connection, &server.warehouse());
    let options = StreamReadOptions::default().group(GROUP, "worker-1").block(1000);
    let mut entries = soon(consumer.xread_options(&[&name], &[">"], &options)).await??;
    let entry = entries.pop().context("an entry")?;
    drop(entry); // never processed: pending
    let again = consumer.xread_options(&[&name], &["0"], &options).await?.pop().context("again")?;
    assert_eq!(again.attempt(), 2, "reading again is another delivery");
    again.process_and_settle(consumer.get_mut(), async |_| redis::RedisResult::Ok(())).await?;
    assert!(consumer.xread_options(&[&name], &["0"], &options).await?.is_empty());
    Ok(())
}

/// Bug that this prevents: the fields of another propagator than the W3C's were counted as the application's.
#[tokio::test]
async fn the_size_is_that_of_the_applications_own_fields_whatever_the_propagator_writes() -> Result<()> {
    let propagators: [fn(Settings) -> Settings; 3] = [
        |settings| settings,
        // That of a single header writes the others too, but does not name them among its fields.
        |settings| settings.propagator(B3::with_encoding(B3Encoding::SingleAndMultiHeader)),
        |settings| settings.propagator(B3::with_encoding(B3Encoding::MultipleHeader)),
    ];
    for with_propagator in propagators {
        let stream = Stream::new().await?;
        let (name, server) = (&stream.name, &stream.server);
        let shop = with_propagator(server.shop()).message_sizes(true);
        let mut producer = TracedProducer::with_settings(stream.connection().await?, Form::Bare, &shop);
        producer.xadd(name, "*", &[("id", "42")]).await?;
        let warehouse = with_propagator(server.warehouse()).message_sizes(true);
        let mut consumer = StreamConsumer::with_settings(stream.connection().await?, &warehouse);
        let first = next(&mut consumer, name).await?.into_inner();
        assert!(first.fields().len() > 1, "a context has travelled");
        // With the fields of the context, as a forwarder passes them on.
        producer.retry(&first, 1, name).await?;
        let second = next(&mut consumer, name).await?;
        second.process(async |_| anyhow::Ok(())).await?;
        for span in server.capture.spans() {
            assert_eq!(attribute(&span, "messaging.message.body.size").as_deref(), Some("4"), "{}", span.name());
        }
        assert_eq!(server.capture.spans().len(), 3);
    }
    Ok(())
}
