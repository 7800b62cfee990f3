//! rdkafka: records of one partition, at most [`WINDOW`] of them unreported, and received at the same time. One producer and one consumer
//! for all ways.

use crate::rounds::{self, Measured, TRACEPARENT, Way, measure};
use anyhow::{Context as _, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use test_brokers::Kafka;
use traced_envelope::propagation::W3cPropagator;
use traced_kafka::{Settings, TracedConsumer, TracedProducer};

/// Delivery reports that are not waited for yet.
const WINDOW: usize = 5_000;
const TOPIC: &str = "throughput";

struct Clients {
    producer: TracedProducer,
    consumer: TracedConsumer<StreamConsumer>,
}

pub(crate) async fn compare() -> Result<()> {
    let broker = Kafka::shared().await?;
    println!("\n{}; window {WINDOW}", broker.describe());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    for (size, messages) in [(100, 20_000), (10 * 1024, 5_000)] {
        let topic = format!("{TOPIC}-{size}-{}", std::process::id());
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        admin.create_topics(&[new], &AdminOptions::new()).await?;
        let clients = clients(&config, &topic)?;
        let title = format!("Kafka, {size} bytes, {messages} records a run");
        rounds::compare(&title, async |way| run(&clients, &topic, way, size, messages).await).await?;
        admin.delete_topics(&[&topic], &AdminOptions::new()).await?;
    }
    Ok(())
}

fn clients(config: &ClientConfig, topic: &str) -> Result<Clients> {
    let settings = Settings::default().propagator(W3cPropagator::new());
    let consumer: StreamConsumer = config.clone().set("group.id", topic).set("enable.auto.commit", "false").create()?;
    // Without a group: whatever was sent before is received before.
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&partitions)?;
    Ok(Clients {
        producer: TracedProducer::with_settings(config.create()?, &settings),
        consumer: TracedConsumer::with_settings(consumer, &settings),
    })
}

/// Until the last record was received.
async fn run(clients: &Clients, topic: &str, way: Way, size: usize, messages: usize) -> Result<Measured> {
    let payload = vec![b'x'; size];
    let record = || FutureRecord::<(), _>::to(topic).payload(&payload);
    let bare: &FutureProducer = clients.producer.get_ref();
    match way {
        Way::Bare => {
            let send = pipelined(messages, || Ok(bare.send_result(record()).map_err(|(error, _)| error)?));
            measure(messages, both(send, receive(clients, messages))).await
        }
        Way::WithHeader => {
            let send = pipelined(messages, || {
                Ok(bare.send_result(record().headers(headers())).map_err(|(error, _)| error)?)
            });
            measure(messages, both(send, receive(clients, messages))).await
        }
        Way::Traced => {
            let send =
                pipelined(messages, || Ok(clients.producer.send_result(record()).map_err(|(error, _)| error)?));
            measure(messages, both(send, process(clients, messages))).await
        }
    }
}

async fn both(send: impl Future<Output = Result<()>>, receive: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::try_join!(send, receive).map(drop)
}

fn headers() -> OwnedHeaders {
    OwnedHeaders::new().insert(Header { key: "traceparent", value: Some(TRACEPARENT) })
}

async fn pipelined<F, C, E>(messages: usize, send: impl Fn() -> Result<F>) -> Result<()>
where
    F: Future<Output = Result<Result<rdkafka::producer::future_producer::Delivery, E>, C>>,
    C: std::error::Error + Send + Sync + 'static,
{
    let mut unanswered = VecDeque::with_capacity(WINDOW);
    for _ in 0..messages {
        if unanswered.len() == WINDOW
            && let Some(oldest) = unanswered.pop_front()
        {
            answered(oldest).await?;
        }
        unanswered.push_back(send()?);
    }
    for report in unanswered {
        answered(report).await?;
    }
    Ok(())
}

async fn answered<F, C, E>(report: F) -> Result<()>
where
    F: Future<Output = Result<Result<rdkafka::producer::future_producer::Delivery, E>, C>>,
    C: std::error::Error + Send + Sync + 'static,
{
    report.await?.ok().context("the broker did not take a record")?;
    Ok(())
}

async fn receive(clients: &Clients, messages: usize) -> Result<()> {
    for _ in 0..messages {
        black_box(clients.consumer.get_ref().recv().await?.payload());
    }
    Ok(())
}

async fn process(clients: &Clients, messages: usize) -> Result<()> {
    for _ in 0..messages {
        let message = clients.consumer.recv().await?;
        let handled = message.process(async |message| {
            black_box(message.payload());
            Ok::<_, Infallible>(())
        });
        handled.await?;
    }
    Ok(())
}
