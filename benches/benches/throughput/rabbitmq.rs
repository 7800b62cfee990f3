//! lapin: published with confirms, at most [`WINDOW`] of them unanswered, and consumed and acknowledged one by one at the same time.

use crate::rounds::{self, Measured, TRACEPARENT, Way, measure};
use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::collections::VecDeque;
use std::future::Future;
use test_brokers::RabbitMq;
use traced_envelope::propagation::W3cPropagator;
use traced_rabbitmq::{Settings, TracedConsumer, TracedProducer};

/// Confirms that are not waited for yet.
const WINDOW: usize = 1000;
/// Messages that a consumer has and has not acknowledged.
const PREFETCH: u16 = 500;

pub(crate) async fn compare() -> Result<()> {
    let broker = RabbitMq::shared().await?;
    println!("{}; window {WINDOW}, prefetch {PREFETCH}", broker.describe());
    let connect = || Connection::connect(broker.url(), ConnectionProperties::default());
    // As applications have it: a connection to publish, another to consume.
    let (publishing, consuming) = (connect().await?, connect().await?);
    for (size, messages) in [(100, 4_000), (10 * 1024, 2_500)] {
        let title = format!("RabbitMQ, {size} bytes, {messages} messages a run");
        rounds::compare(&title, async |way| run(&publishing, &consuming, way, size, messages).await).await?;
    }
    Ok(())
}

/// Until the last message is acknowledged.
async fn run(
    publishing: &Connection,
    consuming: &Connection,
    way: Way,
    size: usize,
    messages: usize,
) -> Result<Measured> {
    let (publisher, consumer) = (publishing.create_channel().await?, consuming.create_channel().await?);
    publisher.confirm_select(ConfirmSelectOptions::default()).await?;
    consumer.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    // Not exclusive: the publisher has a connection of its own.
    let options = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = consumer.queue_declare("".into(), options, FieldTable::default()).await?.name().clone();
    let payload = vec![b'x'; size];
    let settings = Settings::default().propagator(W3cPropagator::new());
    let measured = if way == Way::Traced {
        let producer = TracedProducer::with_settings(publisher.clone(), &settings);
        let publish = pipelined(messages, async || {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            producer.publish("".into(), queue.clone(), options, &payload, properties).await
        });
        let consume = consume_traced(&consumer, &queue, &settings, messages);
        measure(messages, both(publish, consume)).await?
    } else {
        let publish = pipelined(messages, async || {
            let properties = match way {
                Way::WithHeader => BasicProperties::default().with_headers(headers()),
                Way::Bare | Way::Traced => BasicProperties::default(),
            };
            publisher
                .basic_publish("".into(), queue.clone(), BasicPublishOptions::default(), &payload, properties)
                .await
        });
        measure(messages, both(publish, consume(&consumer, &queue, messages))).await?
    };
    publisher.close(200, "done".into()).await?;
    consumer.close(200, "done".into()).await?;
    Ok(measured)
}

async fn both(publish: impl Future<Output = Result<()>>, consume: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::try_join!(publish, consume).map(drop)
}

fn headers() -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(TRACEPARENT.into()));
    headers
}

async fn pipelined<F>(messages: usize, publish: impl AsyncFn() -> lapin::Result<F>) -> Result<()>
where
    F: Future<Output = lapin::Result<lapin::Confirmation>>,
{
    let mut unanswered = VecDeque::with_capacity(WINDOW);
    for _ in 0..messages {
        if unanswered.len() == WINDOW
            && let Some(oldest) = unanswered.pop_front()
        {
            answered(oldest).await?;
        }
        unanswered.push_back(publish().await?);
    }
    for confirm in unanswered {
        answered(confirm).await?;
    }
    Ok(())
}

async fn answered(confirm: impl Future<Output = lapin::Result<lapin::Confirmation>>) -> Result<()> {
    ensure!(confirm.await?.is_ack(), "the broker did not take a message");
    Ok(())
}

async fn consume(channel: &Channel, queue: &ShortString, messages: usize) -> Result<()> {
    let options = BasicConsumeOptions::default();
    let mut consumer = channel.basic_consume(queue.clone(), "bare".into(), options, FieldTable::default()).await?;
    for _ in 0..messages {
        let delivery = consumer.next().await.context("the consumer was cancelled")??;
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn consume_traced(channel: &Channel, queue: &ShortString, settings: &Settings, messages: usize) -> Result<()> {
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.clone(), "traced".into(), options, FieldTable::default()).await?;
    let mut consumer = TracedConsumer::with_settings(consumer, settings);
    for _ in 0..messages {
        let delivery = consumer.next().await.context("the consumer was cancelled")??;
        delivery.process(async |delivery| delivery.ack(BasicAckOptions::default()).await).await?;
    }
    Ok(())
}
