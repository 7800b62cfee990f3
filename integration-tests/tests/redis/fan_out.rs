//! One message, many subscribers.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use opentelemetry::trace::SpanKind;
use tokio::task::JoinSet;
use traced_redis::{Form, Message, Subscription, TracedConsumer};

use crate::server::{Server, next, unique};

/// Of each protocol, each on a connection of its own.
const SUBSCRIBERS: usize = 20;
const MESSAGES: u8 = 5;

/// Processes as many messages as come, in order.
async fn consume<S: Subscription + Unpin>(mut consumer: TracedConsumer<S>) -> Result<()> {
    for expected in 0..MESSAGES {
        let handler = async |message: Message| {
            tokio::task::yield_now().await;
            anyhow::Ok(message.payload() == [expected])
        };
        ensure!(next(&mut consumer).await?.process(handler).await?, "another message than the {expected}th");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_has_one_send_span_and_a_process_span_for_each_subscriber() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut subscribers = JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..SUBSCRIBERS {
        subscribers.spawn(consume(server.consumer(&channel).await?));
        let (mut connection, pushed) = server.pushed().await?;
        connection.subscribe(&channel).await?;
        connections.push(connection);
        subscribers.spawn(consume(TracedConsumer::with_settings(pushed, &server.warehouse())));
    }
    let mut producer = server.producer(Form::Binary).await?;
    for number in 0..MESSAGES {
        assert_eq!(producer.publish(&channel, [number]).await?, 2 * SUBSCRIBERS);
    }
    while let Some(subscriber) = subscribers.join_next().await {
        subscriber??;
    }

    server.capture.assert_no_open_spans();
    let spans = server.capture.spans();
    let (published, processed): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.kind() == SpanKind::Producer);
    assert_eq!((published.len(), server.capture.trace_ids().len()), (MESSAGES.into(), MESSAGES.into()));
    let mut children = HashMap::new();
    for process in processed {
        assert_eq!((process.kind(), process.name()), (SpanKind::Consumer, &*format!("process {channel}")));
        *children.entry((process.trace_id(), process.parent_id())).or_insert(0) += 1;
    }
    for publish in published {
        assert_eq!(children.get(&(publish.trace_id(), Some(publish.span_id()))), Some(&(2 * SUBSCRIBERS)));
    }
    let counted = |name| server.capture.metric(name).value();
    assert_eq!(counted("messaging.client.sent.messages"), f64::from(MESSAGES));
    let all = u32::try_from(2 * SUBSCRIBERS)? * u32::from(MESSAGES);
    assert_eq!(counted("messaging.client.consumed.messages"), f64::from(all));
    Ok(())
}
