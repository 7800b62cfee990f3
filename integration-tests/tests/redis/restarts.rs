//! The server dies and comes back while everybody is at work.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry::trace::{SpanKind, Tracer as _};
use redis::Client;
use redis::aio::{ConnectionManagerConfig, MultiplexedConnection};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use traced_redis::{Form, Settings, Subscription, TracedConsumer, TracedProducer};

use crate::server::{Server, attribute, soon, unique};

/// Handled by each subscriber before the server is killed, and again after it is back.
const MESSAGES: usize = 20;

/// Between attempts to connect to a server that may be down.
const ATTEMPTS: Duration = Duration::from_millis(50);

/// What a subscriber's handlers tell: their messages.
type Handled = mpsc::UnboundedReceiver<Vec<u8>>;

/// Processes messages until the stream ends or fails; returns how.
async fn consume<S: Subscription + Unpin>(
    consumer: &mut TracedConsumer<S>,
    server: &ServerOfTask,
    handled: &mpsc::UnboundedSender<Vec<u8>>,
) -> Option<redis::RedisError> {
    loop {
        let message = match consumer.next().await? {
            Ok(message) => message,
            Err(error) => return Some(error),
        };
        let processed = message.process(async |message| {
            tokio::task::yield_now().await;
            server.tracer.in_span("handle", |_| ());
            handled.send(message.payload().to_vec())
        });
        processed.await.ok()?;
    }
}

/// What a task needs of the server.
struct ServerOfTask {
    client: Client,
    settings: Settings,
    tracer: opentelemetry_sdk::trace::SdkTracer,
    channel: String,
}

impl ServerOfTask {
    fn of(server: &Server, channel: &str) -> Self {
        let (client, settings) = (server.client.clone(), server.warehouse());
        Self { client, settings, tracer: server.capture.tracer("warehouse"), channel: channel.to_owned() }
    }
}

/// A RESP2 subscription, which the application renews whenever it has ended; returns how often it did.
fn subscribe_again(server: ServerOfTask) -> (JoinHandle<()>, Handled, watch::Receiver<usize>) {
    let (sender, handled) = mpsc::unbounded_channel();
    let (lost, losses) = watch::channel(0);
    let task = tokio::spawn(async move {
        let mut attempts = tokio::time::interval(ATTEMPTS);
        loop {
            attempts.tick().await;
            let Ok(mut subscription) = server.client.get_async_pubsub().await else { continue };
            if subscription.subscribe(&server.channel).await.is_err() {
                continue;
            }
            let mut consumer = TracedConsumer::with_settings(subscription, &server.settings);
            if consume(&mut consumer, &server, &sender).await.is_some_and(|error| error.is_connection_dropped()) {
                lost.send_modify(|lost| *lost += 1);
            }
        }
    });
    (task, handled, losses)
}

/// A connection manager, which subscribes again by itself.
async fn subscribe_once(server: &Server, channel: &str) -> Result<(JoinHandle<()>, Handled)> {
    let (pushes, pushed) = mpsc::unbounded_channel();
    let config = ConnectionManagerConfig::new().set_push_sender(pushes).set_automatic_resubscription();
    // However long the machine takes to start the server again: the manager would give up after six attempts, and stay deaf.
    let config = config.set_number_of_retries(usize::MAX).set_max_delay(Duration::from_secs(1));
    let mut manager = soon(server.resp3()?.get_connection_manager_with_config(config)).await??;
    soon(manager.subscribe(channel)).await??;
    let (sender, handled) = mpsc::unbounded_channel();
    let task_server = ServerOfTask::of(server, channel);
    let mut consumer = TracedConsumer::with_settings(pushed, &task_server.settings);
    let task = tokio::spawn(async move {
        let ended = consume(&mut consumer, &task_server, &sender).await;
        drop(manager);
        panic!("the manager's subscription has ended: {ended:?}");
    });
    Ok((task, handled))
}

/// Publishes all the time, over a new connection whenever one is lost; returns how often, and how many of these calls failed.
async fn publish(server: ServerOfTask, shop: Settings, mut stop: watch::Receiver<bool>) -> (usize, usize) {
    let (mut calls, mut failed) = (0, 0);
    let connect = async || -> MultiplexedConnection {
        let mut attempts = tokio::time::interval(ATTEMPTS);
        loop {
            attempts.tick().await;
            if let Ok(connection) = server.client.get_multiplexed_async_connection().await {
                return connection;
            }
        }
    };
    let mut producer = TracedProducer::with_settings(connect().await, Form::Binary, &shop);
    while !*stop.borrow_and_update() {
        calls += 1;
        if producer.publish(&server.channel, calls.to_string()).await.is_err() {
            failed += 1;
            *producer.get_mut() = connect().await;
        }
        tokio::task::yield_now().await;
    }
    (calls, failed)
}

async fn receive(handled: &mut Handled, messages: usize) -> Result<()> {
    for _ in 0..messages {
        soon(handled.recv()).await?.context("the subscriber has ended")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_under_load_leaves_no_span_open_and_both_kinds_of_subscription_go_on() -> Result<()> {
    let server = Server::own().await?;
    let channel = unique("orders");
    let (again, mut handled_again, mut losses) = subscribe_again(ServerOfTask::of(&server, &channel));
    let (once, mut handled_once) = subscribe_once(&server, &channel).await?;
    let (stop, stopped) = watch::channel(false);
    let publisher = tokio::spawn(publish(ServerOfTask::of(&server, &channel), server.shop(), stopped));

    for ends in [true, false] {
        receive(&mut handled_again, MESSAGES).await?;
        receive(&mut handled_once, MESSAGES).await?;
        if ends {
            server.broker.kill().await?;
            // What was received before is handled; nothing comes while there is no server.
            soon(losses.wait_for(|lost| *lost > 0)).await??;
            server.broker.start_again().await?;
            while handled_again.try_recv().is_ok() {}
            while handled_once.try_recv().is_ok() {}
        }
    }
    stop.send_replace(true);
    let (calls, failed) = soon(publisher).await??;
    for subscriber in [again, once] {
        subscriber.abort();
        assert!(soon(subscriber).await?.is_err_and(|error| error.is_cancelled()), "a subscriber ended by itself");
    }

    server.capture.assert_no_open_spans();
    let spans = server.capture.spans();
    let published: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Producer).collect();
    let errors: Vec<_> = published.iter().filter_map(|span| attribute(span, "error.type")).collect();
    assert_eq!((published.len(), errors.len()), (calls, failed), "one span for each call: {errors:?}");
    assert!(failed > 0 && errors.iter().all(|error| ["io_error", "timeout"].contains(&error.as_str())), "{errors:?}");
    let parents: HashSet<_> = published.iter().map(|span| Some(span.span_id())).collect();
    let processed: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Consumer).collect();
    assert!(processed.len() >= 4 * MESSAGES, "{}", processed.len());
    for process in &processed {
        assert!(parents.contains(&process.parent_id()), "its parent is no publish span: {process:?}");
        // The task may have been aborted in the middle of the last one.
        assert!([None, Some("cancelled".to_owned())].contains(&attribute(process, "error.type")), "{process:?}");
    }
    Ok(())
}
