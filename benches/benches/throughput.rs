//! `cargo bench -p benches --bench throughput`: messages per second through one real broker, by bare lapin and traced, in pairs.
//!
//! Published with confirms, at most [`WINDOW`] of them unanswered, and consumed and acknowledged one by one at the same time. The two of
//! a pair run one after the other, in turns; the ratios of the pairs are what counts, since a machine is never the same for long.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use anyhow::{Context as _, Result, ensure};
use benches::sdk::Sdk;
use benches::times::summary;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::collections::VecDeque;
use std::future::Future;
use std::time::{Duration, Instant};
use test_brokers::RabbitMq;
use traced_envelope::propagation::W3cPropagator;
use traced_rabbitmq::{Settings, TracedConsumer, TracedProducer};

/// Confirms that are not waited for yet.
const WINDOW: usize = 1000;
/// Messages that a consumer has and has not acknowledged.
const PREFETCH: u16 = 500;
const PAIRS: usize = 40;
/// No further pair is begun after this time, for each size.
const ENOUGH: Duration = Duration::from_secs(70);
/// A run that takes longer than this has failed.
const HANGS: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    Sdk::Sampled.install();
    let broker = RabbitMq::shared().await?;
    println!("{}; window {WINDOW}, prefetch {PREFETCH}, {PAIRS} pairs", broker.describe());
    let connect = || Connection::connect(broker.url(), ConnectionProperties::default());
    // As applications have it: a connection to publish, another to consume.
    let (publishing, consuming) = (connect().await?, connect().await?);
    for (size, messages) in [(100, 4_000), (10 * 1024, 2_500)] {
        compare(&publishing, &consuming, size, messages).await?;
    }
    Ok(())
}

async fn compare(publishing: &Connection, consuming: &Connection, size: usize, messages: usize) -> Result<()> {
    println!("\n{size} bytes, {messages} messages a run\n   bare/s  traced/s  traced/bare");
    let begin = Instant::now();
    let mut ratios = Vec::new();
    // The first pair warms up.
    for pair in 0..=PAIRS {
        let mut rates = [0.0; 2];
        for traced in [pair % 2 == 1, pair % 2 == 0] {
            let run = run(publishing, consuming, traced, size, messages);
            let rate = tokio::time::timeout(HANGS, run).await.context("the broker does not get on")??;
            *rates.get_mut(usize::from(traced)).context("two of them")? = rate;
        }
        let [bare, traced] = rates;
        if pair > 0 {
            println!("  {bare:>7.0}  {traced:>8.0}  {:.3}", traced / bare);
            ratios.push(traced / bare);
        }
        if begin.elapsed() > ENOUGH {
            break;
        }
    }
    let pairs = ratios.len();
    let ratio = summary(&mut ratios);
    println!("  median of {pairs} pairs: {:.3} ± {:.3}", ratio.median, ratio.spread);
    Ok(())
}

/// Messages per second, from the first that is published until the last is acknowledged.
async fn run(
    publishing: &Connection,
    consuming: &Connection,
    traced: bool,
    size: usize,
    messages: usize,
) -> Result<f64> {
    let (publisher, consumer) = (publishing.create_channel().await?, consuming.create_channel().await?);
    publisher.confirm_select(ConfirmSelectOptions::default()).await?;
    consumer.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    // An exclusive queue is its connection's; everyone may publish to it.
    let queue = consumer.queue_declare("".into(), options, FieldTable::default()).await?.name().clone();
    let payload = vec![b'x'; size];
    let settings = Settings::default().propagator(W3cPropagator::new());
    let start = Instant::now();
    if traced {
        let producer = TracedProducer::with_settings(publisher.clone(), &settings);
        let publish = pipelined(messages, async || {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            producer.publish("".into(), queue.clone(), options, &payload, properties).await
        });
        tokio::try_join!(publish, consume_traced(&consumer, &queue, &settings, messages))?;
    } else {
        let publish = pipelined(messages, async || {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            publisher.basic_publish("".into(), queue.clone(), options, &payload, properties).await
        });
        tokio::try_join!(publish, consume(&consumer, &queue, messages))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    publisher.close(200, "done".into()).await?;
    consumer.close(200, "done".into()).await?;
    Ok(f64::from(u32::try_from(messages)?) / seconds)
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
    use futures_util::StreamExt;
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
