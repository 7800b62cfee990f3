//! Jobs of apalis through a real RabbitMQ: apalis-amqp has no ids that travel, and passes on its own headers only.
//!
//! Each test has a queue of its own and two connections, a producer's and a worker's: what arrives has been on the wire.

use anyhow::{Context as _, Result, anyhow};
use apalis_amqp::{AmqpBackend, Config, Error};
use deadpool_lapin::{Pool, Runtime};
use futures_util::{SinkExt as _, sink::Sink};
use lapin::options::{BasicNackOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::{FutureExt as _, Span as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use std::{future, io};
use test_brokers::{RabbitMq, free_port};
use traced_apalis::TracedProducer;
use traced_apalis::apalis_core::backend::{TaskSink as _, TaskSinkError};
use traced_apalis::apalis_core::task::builder::TaskBuilder;
use traced_apalis::apalis_core::worker::builder::WorkerBuilder;
use traced_envelope::testing::{Capture, CapturedSpan};

type Traced = TracedProducer<AmqpBackend<String>>;

const FOREIGN_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const FOREIGN_SPAN: &str = "00f067aa0ba902b7";

/// A limit for what the tests wait for; only one that fails waits for it.
async fn soon<F: Future>(future: F) -> Result<F::Output> {
    tokio::time::timeout(Duration::from_secs(60), future).await.context("not in time")
}

/// As apalis-amqp makes one from an address.
fn pool(url: &str) -> Result<Pool> {
    let config = deadpool_lapin::Config { url: Some(url.to_owned()), pool: None };
    Ok(config.create_pool(ConnectionProperties::default, Runtime::Tokio1)?)
}

/// A queue that nobody else has, and what is told of it.
struct Queue {
    broker: Arc<RabbitMq>,
    config: Config,
    name: String,
    capture: Capture,
}

impl Queue {
    async fn new(config: Config) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
        let name = format!("orders-{}-{since}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let config = config.queue(&*name);
        Ok(Self { broker: RabbitMq::shared().await?, config, name, capture: Capture::new() })
    }

    fn pool(&self) -> Result<Pool> {
        pool(self.broker.url())
    }

    fn traced(&self, pool: Pool, service: &str) -> Traced {
        let backend = AmqpBackend::new(pool).with_config(self.config.clone());
        TracedProducer::with_settings(backend, &self.capture.settings(service)).queue(&*self.name)
    }

    fn producer(&self) -> Result<Traced> {
        Ok(self.traced(self.pool()?, "shop"))
    }

    /// A worker that is ready. apalis-amqp 1.0 panics in one on a backend that was not asked for jobs to push before.
    async fn worker(&self) -> Result<Traced> {
        let mut worker = self.traced(self.pool()?, "clerk");
        soon(future::poll_fn(|cx| Sink::poll_ready(Pin::new(&mut worker), cx))).await??;
        Ok(worker)
    }

    /// Works until so many spans have ended. The handler makes a span of its own, which tells the baggage, and has no paper at first.
    async fn work(&self, worker: Traced, spans: usize) -> Result<()> {
        let (capture, asked_for_paper) = (self.capture.clone(), Arc::new(AtomicBool::new(false)));
        let handler = move |order: String| {
            let mut span = capture.tracer("clerk").start("check");
            if let Some(tenant) = Context::current().baggage().get("tenant") {
                span.set_attribute(KeyValue::new("tenant", tenant.to_string()));
            }
            let there = order == "ink" || asked_for_paper.swap(true, Ordering::Relaxed);
            future::ready(if there { Ok(()) } else { Err(io::Error::other("no stock")) })
        };
        let ended = self.capture.spans_ended(spans);
        let end = async move { soon(ended).await.map(|_| ()).map_err(io::Error::other) };
        let worker = WorkerBuilder::new(&*self.name).backend(worker).build(handler);
        let worked = worker.run_until(end).await;
        worked.map_err(|error| anyhow!("{error}; spans:\n{}", self.capture.forest()))
    }

    /// By a plain client, with one header.
    async fn publish(&self, header: &str) -> Result<()> {
        let connection = Connection::connect(self.broker.url(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let traceparent = AMQPValue::LongString(format!("00-{FOREIGN_TRACE}-{FOREIGN_SPAN}-01").into());
        let mut headers = FieldTable::default();
        headers.insert(header.into(), traceparent);
        let properties = BasicProperties::default().with_headers(headers);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), (&*self.name).into(), options, br#""ink""#, properties);
        sent.await?.await?;
        // The broker has what was sent before it answers.
        Ok(connection.close(200, "".into()).await?)
    }

    fn pushed(&self) -> CapturedSpan {
        self.capture.span(&format!("push {}", self.name))
    }

    fn processed(&self) -> CapturedSpan {
        self.capture.span(&format!("process {}", self.name))
    }
}

fn text(span: &CapturedSpan, attribute: &str) -> Option<String> {
    span.attribute(attribute).map(ToString::to_string)
}

#[tokio::test]
async fn a_job_is_in_the_trace_of_its_push_with_its_baggage_and_without_an_id() -> Result<()> {
    let queue = Queue::new(Config::default()).await?;
    let context = Context::new().with_baggage([KeyValue::new("tenant", "acme")]);
    soon(queue.producer()?.push("ink".to_owned()).with_context(context)).await??;
    queue.work(queue.worker().await?, 3).await?;
    let name = &queue.name;
    queue.capture.assert_trace(&format!(
        "
        push {name}        shop   PRODUCER  {{messaging.system=rabbitmq}}
        └─ process {name}  clerk  CONSUMER  → push {name}  {{messaging.system=rabbitmq, apalis.attempt=1, apalis.outcome=ok}}
           └─ check        clerk  INTERNAL  {{tenant=acme}}
        "
    ));
    // What a worker has as a task's id is the number of its delivery.
    for span in [queue.pushed(), queue.processed()] {
        assert_eq!(span.attribute("messaging.message.id"), None);
        assert_eq!(text(&span, "messaging.destination.name").as_ref(), Some(name));
    }
    queue.capture.assert_no_open_spans();
    Ok(())
}

#[tokio::test]
async fn a_message_of_a_plain_client_is_continued_by_a_header_of_apalis() -> Result<()> {
    let queue = Queue::new(Config::default()).await?;
    let worker = queue.worker().await?; // declares the queue
    soon(queue.publish("x-apalis-traceparent")).await??;
    queue.work(worker, 2).await?;
    let process = queue.processed();
    assert_eq!(process.trace_id().to_string(), FOREIGN_TRACE);
    assert_eq!(process.parent_id().context("no parent")?.to_string(), FOREIGN_SPAN);
    assert!(process.parent_is_remote());
    assert_eq!(process.attribute("messaging.message.id"), None);
    Ok(())
}

#[tokio::test]
async fn a_header_that_is_not_one_of_apalis_is_out_of_reach() -> Result<()> {
    let queue = Queue::new(Config::default()).await?;
    let worker = queue.worker().await?; // declares the queue
    soon(queue.publish("traceparent")).await??;
    queue.work(worker, 2).await?;
    let process = queue.processed();
    assert_ne!(process.trace_id().to_string(), FOREIGN_TRACE);
    assert_eq!((process.parent_id(), process.links().len()), (None, 0));
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_put_off_waits_since_it_was_due_and_is_linked() -> Result<()> {
    let queue = Queue::new(Config::default().scheduling(true)).await?;
    let job = TaskBuilder::new("ink".to_owned()).run_after(Duration::from_secs(3)).build();
    soon(queue.producer()?.push_task(job)).await??;
    queue.work(queue.worker().await?, 3).await?;

    let (push, process) = (queue.pushed(), queue.processed());
    assert_eq!((process.parent_id(), process.links().len()), (None, 1), "a job that was put off is linked");
    assert_eq!(process.links().first().map(|link| link.span_context.span_id()), Some(push.span_id()));
    let run_at = text(&process, "apalis.run_at").context("no time for which it was put off")?;
    assert_eq!(text(&push, "apalis.run_at").as_ref(), Some(&run_at));
    let due = SystemTime::UNIX_EPOCH + Duration::from_secs(run_at.parse()?);
    let late = process.start().duration_since(due)?.as_secs_f64();
    let waited: f64 = text(&process, "traced.message.wait.duration").context("it did not wait")?.parse()?;
    // Since it was pushed it waited for more than two seconds more.
    assert!((waited - late).abs() < 0.5, "it waited for {waited}, and was {late} late");
    assert!(process.start().duration_since(push.start())?.as_secs_f64() > waited + 1.0);
    Ok(())
}

/// apalis-amqp does not pass on that it is one.
#[tokio::test]
async fn a_redelivery_is_attempt_1_once_more() -> Result<()> {
    let queue = Queue::new(Config::default().nack_options(BasicNackOptions { requeue: true, multiple: false })).await?;
    soon(queue.producer()?.push("paper".to_owned())).await??;
    queue.work(queue.worker().await?, 5).await?;
    let name = &queue.name;
    queue.capture.assert_trace(&format!(
        "
        push {name}        shop   PRODUCER
        ├─ process {name}  clerk  CONSUMER  → push {name}  ✗  {{apalis.attempt=1, apalis.outcome=error}}
        │  └─ check        clerk  INTERNAL
        └─ process {name}  clerk  CONSUMER  → push {name}  {{apalis.attempt=1, apalis.outcome=ok}}
           └─ check        clerk  INTERNAL
        "
    ));
    Ok(())
}

#[tokio::test]
async fn a_push_that_fails_ends_its_span_with_the_error() -> Result<()> {
    let queue = Queue::new(Config::default()).await?;
    let pool = queue.pool()?;
    let mut producer = queue.traced(pool.clone(), "shop");
    let job = TaskBuilder::new(br#""ink""#.to_vec()).build();
    soon(producer.feed(job)).await??;
    // The one connection that there is, between the two steps of a push.
    soon(pool.get().await?.close(200, "".into())).await??;
    let error = soon(producer.flush()).await?.unwrap_err();

    assert!(matches!(&error, Error::Lapin(_)), "{error:?}");
    let push = queue.pushed();
    assert!(push.is_error());
    assert_eq!(*push.status(), opentelemetry::trace::Status::error(error.to_string()));
    assert_eq!(text(&push, "error.type").as_deref(), Some("apalis_amqp::error::Error"));
    queue.capture.assert_no_open_spans();
    Ok(())
}

/// apalis-amqp publishes without confirms.
#[tokio::test]
async fn a_job_that_the_broker_refuses_looks_stored() -> Result<()> {
    for (config, late) in [(Config::default().exchange("there-is-no-such-exchange"), 0), (Config::default(), 60)] {
        let queue = Queue::new(config).await?;
        let job = TaskBuilder::new("ink".to_owned()).run_after(Duration::from_secs(late)).build();
        soon(queue.producer()?.push_task(job)).await??;
        assert!(!queue.pushed().is_error());

        let connection = Connection::connect(queue.broker.url(), ConnectionProperties::default()).await?;
        for (name, there) in [(&queue.name, true), (&format!("{}_waiting", queue.name), false)] {
            let options = QueueDeclareOptions { passive: true, ..Default::default() };
            let channel = connection.create_channel().await?;
            let declared = channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await;
            assert_eq!(declared.map(|queue| queue.message_count()).ok(), there.then_some(0), "{name}");
        }
    }
    Ok(())
}

/// It connects before it is given the job.
#[tokio::test]
async fn a_push_without_a_broker_has_its_error_and_no_span() -> Result<()> {
    let queue = Queue::new(Config::default()).await?;
    let nobody = pool(&format!("amqp://127.0.0.1:{}", free_port()?))?;
    let error = soon(queue.traced(nobody, "shop").push("ink".to_owned())).await?.unwrap_err();
    assert!(matches!(error, TaskSinkError::PushError(Error::Pool(_))), "{error:?}");
    assert_eq!((queue.capture.spans().len(), queue.capture.open_spans().len()), (0, 0));
    Ok(())
}
