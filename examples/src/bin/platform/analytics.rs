//! The service that counts what is ordered, many messages at a time.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use axum::Router;
use tokio::time::{Instant, sleep, timeout_at};
use traced_kafka::{
    Relation, Settings as TracingSettings, TracedConsumer, TracedMessage,
    opentelemetry::{KeyValue, global, metrics::Counter},
    rdkafka::{
        Message as _,
        consumer::{CommitMode, Consumer as _, StreamConsumer},
        message::{BorrowedMessage, Headers as _},
    },
};

use crate::{
    service,
    settings::Settings,
    shutdown::Shutdown,
    stock::{self, STOCK, Taken},
};

pub(crate) const NAME: &str = "analytics-worker";
const PORT: u16 = 8084;

/// A batch is full, or its first message has waited for so long.
const BATCH: usize = 100;
const WAIT: Duration = Duration::from_millis(20);

/// What is on the menu.
const ITEMS: [&str; 3] = ["coffee", "saffron", "tea"];

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let analytics = Analytics::open(&settings.kafka_brokers).await?;
    let work = analytics.work(&shutdown);
    service::run(&settings, Router::new(), shutdown.clone(), work).await
}

struct Analytics {
    consumer: TracedConsumer<StreamConsumer>,
    ordered: Counter<u64>,
}

impl Analytics {
    async fn open(brokers: &str) -> anyhow::Result<Self> {
        let mut config = stock::config(brokers).await?;
        config.set("group.id", NAME).set("auto.offset.reset", "earliest");
        // What is counted is committed, and nothing else.
        config.set("enable.auto.commit", "false");
        // Asked when there is nothing, brokers answer after so long; the default is half a second.
        config.set("fetch.wait.max.ms", "50");
        let consumer: StreamConsumer = config.create()?;
        consumer.subscribe(&[STOCK])?;

        let settings = TracingSettings::default()
            // A batch that has messages of one trace only belongs to that trace; one of several links them.
            .relation(Relation::Parent);
        let consumer = TracedConsumer::with_settings(consumer, &settings);
        Ok(Self { consumer, ordered: global::meter(NAME).u64_counter("orders.items").build() })
    }

    async fn work(&self, shutdown: &Shutdown) -> anyhow::Result<()> {
        // librdkafka connects again by itself. What it reports meanwhile is no end.
        while let Some(batch) = shutdown.or(self.next_batch()).await {
            let messages = batch.len();
            let Ok(()) = self.consumer.process_batch(batch, async |messages| self.count(&messages).await).await;
            if let Err(error) = self.consumer.commit_consumer_state(CommitMode::Async) {
                tracing::warn!(%error, "not committed; the next batch commits it too");
            }
            tracing::info!(messages, "counted");
        }
        Ok(())
    }

    /// At least one message, and those that come soon after it.
    async fn next_batch(&self) -> Vec<TracedMessage<BorrowedMessage<'_>>> {
        let mut batch = vec![self.next().await];
        let end = Instant::now() + WAIT;
        while batch.len() < BATCH {
            let Ok(message) = timeout_at(end, self.next()).await else { break };
            batch.push(message);
        }
        batch
    }

    async fn next(&self) -> TracedMessage<BorrowedMessage<'_>> {
        loop {
            match self.consumer.recv().await {
                Ok(message) => return message,
                Err(error) => tracing::warn!(%error, "Kafka is away"),
            }
            sleep(WAIT).await;
        }
    }

    /// Every span in here is a child of the batch's process span.
    #[tracing::instrument(name = "count orders", skip_all, fields(orders = messages.len(), important = tracing::field::Empty))]
    async fn count(&self, messages: &[BorrowedMessage<'_>]) -> Result<(), Infallible> {
        // Such a batch is a trace of its own, which a collector that keeps one in ten would lose, and with it the links.
        if messages.iter().filter_map(trace_id).collect::<HashSet<_>>().len() > 1 {
            tracing::Span::current().record("important", true);
        }
        for message in messages {
            // One that cannot be read must not hold up those behind it.
            let Ok(taken) = serde_json::from_slice::<Taken>(message.payload().unwrap_or_default()) else {
                tracing::error!(offset = message.offset(), "not an order");
                continue;
            };
            self.ordered.add(taken.quantity.into(), &[KeyValue::new("item", item(&taken.item))]);
        }
        Ok(())
    }
}

/// Of the trace that a message belongs to, in its `traceparent`.
fn trace_id<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a [u8]> {
    let header = message.headers()?.iter().find(|header| header.key == "traceparent")?;
    header.value?.split(|byte| *byte == b'-').nth(1)
}

/// For a metric: of few values, and never what a customer wrote.
fn item(ordered: &str) -> &'static str {
    ITEMS.into_iter().find(|item| *item == ordered).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_customer_wrote_is_no_label() {
        assert_eq!((item("tea"), item("coffee for 4111 1111 1111 1111")), ("tea", "other"));
    }
}
