//! `cargo bench -p benches --bench throughput`: messages per second through one real broker, by bare lapin and traced, in pairs.
//!
//! Published with confirms, at most [`WINDOW`] of them unanswered, and consumed and acknowledged one by one at the same time. The runs
//! of a round follow each other, in turns; the ratios within the rounds are what counts, since a machine is never the same for long. A
//! third in each round is bare lapin with a header as long as ours: what the header costs client and broker, tracing apart. Besides, the
//! client's processor time for each message, which other programs disturb less than the clock.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use anyhow::{Context as _, Result, ensure};
use benches::sdk::Sdk;
use benches::times::summary;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
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
const ROUNDS: usize = 40;
/// No further round is begun after this time, for each size.
const ENOUGH: Duration = Duration::from_secs(70);
/// A run that takes longer than this has failed.
const HANGS: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    Sdk::Sampled.install();
    let broker = RabbitMq::shared().await?;
    println!("{}; window {WINDOW}, prefetch {PREFETCH}, {ROUNDS} rounds", broker.describe());
    let connect = || Connection::connect(broker.url(), ConnectionProperties::default());
    // As applications have it: a connection to publish, another to consume.
    let (publishing, consuming) = (connect().await?, connect().await?);
    for (size, messages) in [(100, 4_000), (10 * 1024, 2_500)] {
        compare(&publishing, &consuming, size, messages).await?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Bare,
    WithHeader,
    Traced,
}

/// Of one run.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// Messages in a second.
    rate: f64,
    /// Microseconds of this process for one message.
    processor: f64,
}

async fn compare(publishing: &Connection, consuming: &Connection, size: usize, messages: usize) -> Result<()> {
    println!("\n{size} bytes, {messages} messages a run\n   bare/s  traced/s  traced/bare  traced/with header");
    let begin = Instant::now();
    let (mut to_bare, mut to_header) = (Vec::new(), Vec::new());
    let mut processor = [const { Vec::new() }; 3];
    // The first round warms up.
    for round in 0..=ROUNDS {
        let mut ways = [Way::Bare, Way::WithHeader, Way::Traced];
        ways.rotate_left(round % 3);
        let mut measured = [Measured::default(); 3];
        for way in ways {
            let run = run(publishing, consuming, way, size, messages);
            let run = tokio::time::timeout(HANGS, run).await.context("the broker does not get on")??;
            *measured.get_mut(way as usize).context("three of them")? = run;
        }
        let [bare, header, traced] = measured;
        if round > 0 {
            to_bare.push(traced.rate / bare.rate);
            to_header.push(traced.rate / header.rate);
            let (bare_rate, ratio) = (bare.rate, traced.rate / bare.rate);
            println!("  {bare_rate:>7.0}  {:>8.0}  {ratio:>11.3}  {:>18.3}", traced.rate, traced.rate / header.rate);
            processor.iter_mut().zip(measured).for_each(|(all, run)| all.push(run.processor));
        }
        if begin.elapsed() > ENOUGH {
            break;
        }
    }
    let rounds = to_bare.len();
    let (to_bare, to_header) = (summary(&mut to_bare), summary(&mut to_header));
    println!("  median of {rounds} rounds, traced/bare: {:.3} ± {:.3}", to_bare.median, to_bare.spread);
    println!("  median of {rounds} rounds, traced/with header: {:.3} ± {:.3}", to_header.median, to_header.spread);
    let [bare, header, traced] = processor.each_mut().map(|times| summary(times).median);
    println!("  microseconds of the client for a message: bare {bare:.1}, with header {header:.1}, traced {traced:.1}");
    Ok(())
}

fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

/// One run, from the first message that is published until the last is acknowledged.
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
    let (start, processor) = (Instant::now(), processor_time());
    if way == Way::Traced {
        let producer = TracedProducer::with_settings(publisher.clone(), &settings);
        let publish = pipelined(messages, async || {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            producer.publish("".into(), queue.clone(), options, &payload, properties).await
        });
        tokio::try_join!(publish, consume_traced(&consumer, &queue, &settings, messages))?;
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
        tokio::try_join!(publish, consume(&consumer, &queue, messages))?;
    }
    let count = f64::from(u32::try_from(messages)?);
    let measured = Measured {
        rate: count / start.elapsed().as_secs_f64(),
        processor: (processor_time() - processor) * 1e6 / count,
    };
    publisher.close(200, "done".into()).await?;
    consumer.close(200, "done".into()).await?;
    Ok(measured)
}

fn headers() -> FieldTable {
    let mut headers = FieldTable::default();
    let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert("traceparent".into(), AMQPValue::LongString(value.into()));
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
