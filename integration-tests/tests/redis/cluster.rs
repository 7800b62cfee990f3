//! A cluster of three nodes: sharded channels and streams belong to one of them each, other channels to all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use opentelemetry::trace::SpanKind;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::streams::{StreamPendingReply, StreamReadOptions};
use redis::{Client, ProtocolVersion, PushInfo, cmd};
use test_brokers::RedisCluster;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use traced_envelope::testing::Capture;
use traced_redis::{Entry, Form, Message, StreamConsumer, TracedConsumer, TracedProducer};

use crate::server::{attribute, next, soon, unique};

/// So many that no node has none of them, but once in 300 thousand runs.
const CHANNELS: usize = 30;

struct Cluster {
    capture: Capture,
    broker: Arc<RedisCluster>,
}

impl Cluster {
    async fn shared() -> Result<Self> {
        Ok(Self { capture: Capture::new(), broker: RedisCluster::shared().await? })
    }

    async fn connect(&self) -> Result<(ClusterConnection, UnboundedReceiver<PushInfo>)> {
        let (sender, pushed) = unbounded_channel();
        let client = ClusterClient::builder([self.broker.url()])
            .use_protocol(ProtocolVersion::RESP3)
            .push_sender(sender)
            .build()?;
        Ok((soon(client.get_async_connection()).await??, pushed))
    }

    /// Each node by itself, by what the nodes say of each other.
    fn nodes(&self) -> Result<Vec<Client>> {
        let mut connection = Client::open(self.broker.url())?.get_connection()?;
        let nodes: String = cmd("CLUSTER").arg("NODES").query(&mut connection)?;
        let place = |line: &str| Some(line.split(' ').nth(1)?.split('@').next()?.to_owned());
        let places = nodes.lines().map(|line| place(line).context("an address"));
        let clients = places.map(|place| Ok(Client::open(format!("redis://{}", place?))?));
        clients.collect()
    }
}

#[tokio::test]
async fn sharded_messages_have_one_span_on_each_side_whichever_node_has_the_channel() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let channels: Vec<_> = (0..CHANNELS).map(|_| unique("shard")).collect();
    let (mut subscriber, pushed) = cluster.connect().await?;
    for channel in &channels {
        soon(subscriber.ssubscribe(channel)).await??;
    }
    let mut consumer = TracedConsumer::with_settings(pushed, &cluster.capture.settings("warehouse"));
    for node in cluster.nodes()? {
        let here: Vec<String> = cmd("PUBSUB").arg("SHARDCHANNELS").query(&mut node.get_connection()?)?;
        assert!(channels.iter().any(|channel| here.contains(channel)), "a node has none of the channels");
    }

    let (connection, _) = cluster.connect().await?;
    let mut producer = TracedProducer::with_settings(connection, Form::Binary, &cluster.capture.settings("shop"));
    for channel in &channels {
        assert_eq!(soon(producer.spublish(channel, channel)).await??, 1, "{channel}");
    }
    let mut seen = BTreeSet::new();
    for _ in &channels {
        let handler = async |message: Message| {
            ensure!(message.payload() == message.channel().as_bytes(), "another channel's message");
            Ok(message.channel().to_owned())
        };
        seen.insert(next(&mut consumer).await?.process(handler).await?);
    }
    assert_eq!(seen, channels.iter().cloned().collect());

    cluster.capture.assert_no_open_spans();
    assert_eq!((cluster.capture.spans().len(), cluster.capture.trace_ids().len()), (2 * CHANNELS, CHANNELS));
    for channel in &channels {
        let publish = cluster.capture.span(&format!("spublish {channel}"));
        let process = cluster.capture.span(&format!("process {channel}"));
        assert_eq!(process.parent_id(), Some(publish.span_id()));
        assert_eq!((publish.kind(), process.kind()), (SpanKind::Producer, SpanKind::Consumer));
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_has_not_the_channel_says_so_and_the_span_too() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let channel = unique("shard");
    let mut answers = BTreeMap::new();
    for node in cluster.nodes()? {
        let connection = soon(node.get_multiplexed_async_connection()).await??;
        let mut producer = TracedProducer::with_settings(connection, Form::Binary, &cluster.capture.settings("shop"));
        let answer = match soon(producer.spublish(&channel, b"1")).await? {
            Ok(receivers) => receivers.to_string(),
            Err(error) => error.code().unwrap_or_default().to_owned(),
        };
        *answers.entry(answer).or_insert(0) += 1;
    }
    assert_eq!(answers, BTreeMap::from([("0".to_owned(), 1), ("MOVED".to_owned(), 2)]));
    let errors: Vec<_> = cluster.capture.spans().iter().map(|span| attribute(span, "error.type")).collect();
    assert_eq!(errors.iter().filter(|error| error.as_deref() == Some("MOVED")).count(), 2);
    assert_eq!(errors.iter().filter(|error| error.is_none()).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_message_to_all_nodes_is_sent_once_and_processed_at_each_of_them() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let channel = unique("orders");
    let mut consumers = Vec::new();
    for node in cluster.nodes()? {
        let mut subscription = soon(node.get_async_pubsub()).await??;
        soon(subscription.subscribe(&channel)).await??;
        consumers.push(TracedConsumer::with_settings(subscription, &cluster.capture.settings("warehouse")));
    }
    let (connection, _) = cluster.connect().await?;
    let mut producer = TracedProducer::with_settings(connection, Form::Binary, &cluster.capture.settings("shop"));
    soon(producer.publish(&channel, b"7")).await??;
    for consumer in &mut consumers {
        let payload = next(consumer).await?.process(async |message| anyhow::Ok(message.payload().to_vec())).await?;
        assert_eq!(payload, b"7");
    }
    cluster.capture.assert_no_open_spans();
    cluster.capture.assert_trace(&format!(
        "
        publish {channel}       shop       PRODUCER
        ├─ process {channel}    warehouse  CONSUMER  → publish {channel}
        ├─ process {channel}    warehouse  CONSUMER  → publish {channel}
        └─ process {channel}    warehouse  CONSUMER  → publish {channel}
        "
    ));
    Ok(())
}

#[tokio::test]
async fn entries_have_one_span_on_each_side_whichever_node_has_the_stream() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let streams: Vec<_> = (0..CHANNELS).map(|_| unique("stream")).collect();
    let (mut connection, _) = cluster.connect().await?;
    for stream in &streams {
        let created = cmd("XGROUP").arg("CREATE").arg(stream).arg("inventory").arg("0").arg("MKSTREAM").clone();
        let () = soon(created.query_async(&mut connection)).await??;
    }
    for node in cluster.nodes()? {
        let keys: Vec<String> = cmd("KEYS").arg("stream*").query(&mut node.get_connection()?)?;
        assert!(streams.iter().any(|stream| keys.contains(stream)), "a node has none of the streams");
    }

    let settings = cluster.capture.settings("shop");
    let mut producer = TracedProducer::with_settings(connection.clone(), Form::Bare, &settings);
    for stream in &streams {
        soon(producer.xadd(stream, "*", &[("stream", stream)])).await??.context("an id")?;
    }
    let settings = cluster.capture.settings("warehouse").settle_spans(true);
    let mut consumer = StreamConsumer::with_settings(connection.clone(), &settings);
    for stream in &streams {
        let options = StreamReadOptions::default().group("inventory", "worker").block(1000);
        let entries = soon(consumer.xread_options(&[stream], &[">"], &options)).await??;
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        let handler = async |entry: Entry| redis::RedisResult::Ok(entry.get::<String>("stream"));
        let seen = soon(entry.clone().process_and_settle(&mut connection, handler)).await??;
        assert_eq!(seen.as_ref(), Some(stream));
        let pending: StreamPendingReply =
            soon(cmd("XPENDING").arg(stream).arg("inventory").query_async(&mut connection)).await??;
        assert_eq!(pending.count(), 0);
    }

    cluster.capture.assert_no_open_spans();
    assert_eq!(cluster.capture.trace_ids().len(), CHANNELS);
    for stream in &streams {
        let add = cluster.capture.span(&format!("xadd {stream}"));
        let process = cluster.capture.span(&format!("process {stream}"));
        let settle = cluster.capture.span(&format!("xack {stream}"));
        assert_eq!((process.parent_id(), settle.parent_id()), (Some(add.span_id()), Some(process.span_id())));
    }
    Ok(())
}

/// A pipeline goes to one node: the channels of its messages have to be there.
#[tokio::test]
async fn a_pipeline_is_for_channels_of_one_slot_and_not_for_synchronous_connections() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let settings = cluster.capture.settings("shop");
    let (connection, _) = cluster.connect().await?;
    let mut producer = TracedProducer::with_settings(connection, Form::Binary, &settings);
    let tag = unique("orders");
    let together = [format!("{{{tag}}}.new"), format!("{{{tag}}}.paid")];
    let sent =
        producer.pipeline::<Vec<usize>>(|pipeline| together.iter().for_each(|name| _ = pipeline.publish(name, b"1")));
    assert_eq!(soon(sent).await??, [0, 0]);
    let apart: Vec<_> = (0..CHANNELS).map(|_| unique("orders")).collect();
    let sent =
        producer.pipeline::<Vec<usize>>(|pipeline| apart.iter().for_each(|name| _ = pipeline.publish(name, b"1")));
    assert_eq!(soon(sent).await?.expect_err("several slots").code(), Some("CROSSSLOT"));

    let url = cluster.broker.url().to_owned();
    let synchronous = tokio::task::spawn_blocking(move || {
        let connection = ClusterClient::new([url])?.get_connection()?;
        let mut producer = TracedProducer::with_settings(connection, Form::Binary, &settings);
        producer.pipeline_blocking::<Vec<usize>>(|pipeline| _ = pipeline.publish(&tag, b"1"))
    });
    let error = soon(synchronous).await??.expect_err("no pipelines");
    assert_eq!(error.kind(), redis::ErrorKind::Client, "{error:?}");

    cluster.capture.assert_no_open_spans();
    let spans = cluster.capture.spans();
    let sends = spans.iter().filter(|span| span.kind() == SpanKind::Client);
    let kinds: Vec<_> = sends.map(|span| attribute(span, "error.type").unwrap_or_default()).collect();
    assert_eq!(kinds, ["", "CROSSSLOT", "client_error"]);
    Ok(())
}
