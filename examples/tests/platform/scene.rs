//! A platform of a test's own on the brokers that all tests share, and the collector that it sends to.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use examples::runner::{Accepted, Brokers, CARD, Customer, Platform};
use serde_json::Value;
use test_collector::{Collector, Received};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::block_in_place,
    time::sleep,
};
use traced_envelope::{
    opentelemetry::TraceId,
    testing::{CapturedSpan, Forest},
};

/// A broker may be restarting.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// The spans with which an order has come to its ends: a customer who knows, and analytics that have counted.
pub(crate) const NOTIFIED: [&str; 2] = ["notify customer", "count orders"];
pub(crate) const REFUNDED: [&str; 2] = ["refund customer", "count orders"];

pub(crate) struct Scene {
    platform: Platform,
    pub(crate) collector: Collector,
    customer: Customer,
    pub(crate) brokers: Brokers,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    /// Services that send to the scene's collector.
    pub(crate) async fn open(variables: &[(&str, &str)]) -> Result<Self> {
        let collector = Collector::start()?;
        let endpoint = collector.endpoint();
        Self::open_with(collector, &endpoint, variables).await
    }

    /// Services that send to somewhere else.
    pub(crate) async fn open_towards(endpoint: &str) -> Result<Self> {
        Self::open_with(Collector::start()?, endpoint, &[]).await
    }

    async fn open_with(collector: Collector, endpoint: &str, variables: &[(&str, &str)]) -> Result<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());

        // Before the turn: whoever waits for it holds the brokers, so that they are not started anew for each.
        let brokers = Brokers::shared().await?;
        let turn = TURN.lock().await;
        let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
        all.extend(variables);
        let platform = Platform::start(Path::new(env!("CARGO_BIN_EXE_platform")), &brokers, &all).await?;
        Ok(Self { platform, collector, customer: Customer::new()?, brokers, _turn: turn })
    }

    pub(crate) async fn order(&self, item: &str, headers: &[(&str, &str)]) -> Result<Accepted> {
        self.customer.order(self.platform.url("gateway")?, item, headers).await
    }

    /// Waits until the spans arrived with which an order has come to its ends.
    pub(crate) fn wait_for(&self, trace: TraceId, ends: &[&str]) -> Result<()> {
        let has = |received: &Received, end| {
            received.spans().iter().any(|span| span.trace_id() == trace && span.name() == end)
        };
        let arrived =
            block_in_place(|| self.collector.wait_until(LIMIT, |received| ends.iter().all(|end| has(received, *end))));
        arrived.map(drop).with_context(|| format!("there are no {ends:?} in trace {trace}"))
    }

    /// Waits until the order service says so.
    pub(crate) async fn wait_for_status(&self, order: &Accepted, expected: &str) -> Result<()> {
        let start = Instant::now();
        loop {
            let status = self.customer.status(self.platform.url("order-service")?, &order.id).await?;
            if status == expected {
                return Ok(());
            }
            ensure!(start.elapsed() < LIMIT, "order {} is {status} after {} s", order.id, LIMIT.as_secs());
            sleep(POLL).await;
        }
    }

    /// Waits for a line in the log of a service that has this message and this order; what it says of a trace is in it, too.
    pub(crate) async fn wait_for_line(&self, service: &str, message: &str, order: &Accepted) -> Result<Value> {
        let start = Instant::now();
        loop {
            let log = self.platform.log(service)?;
            let mut lines = log.lines().filter(|line| line.contains(message) && line.contains(&order.id));
            if let Some(line) = lines.find_map(|line| serde_json::from_str(line).ok()) {
                return Ok(line);
            }
            if start.elapsed() > LIMIT {
                bail!("{service} does not say {message:?} of order {}; it says:\n{log}", order.id);
            }
            sleep(POLL).await;
        }
    }

    /// What a service has written.
    pub(crate) fn log(&self, service: &str) -> Result<String> {
        self.platform.log(service)
    }

    /// What a service says about its telemetry.
    pub(crate) async fn health(&self, service: &str) -> Result<Value> {
        self.customer.health(self.platform.url(service)?).await
    }

    /// Waits until the analytics have counted so many messages: what is left would come to the next test's.
    pub(crate) async fn wait_for_counted(&self, messages: u64) -> Result<()> {
        let start = Instant::now();
        loop {
            let log = self.platform.log("analytics-worker")?;
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let counted = lines.filter_map(|line| line["fields"]["messages"].as_u64()).sum::<u64>();
            if counted >= messages {
                return Ok(());
            }
            ensure!(start.elapsed() < LIMIT, "analytics have counted {counted} of {messages}:\n{log}");
            sleep(POLL).await;
        }
    }

    /// What all services report of messages that came without a context.
    pub(crate) async fn missing_contexts(&self) -> Result<Vec<Value>> {
        let mut missing = Vec::new();
        for (service, _) in self.platform.urls() {
            let health = self.health(service).await?;
            missing.extend(
                health["without_context"].as_array().with_context(|| format!("{service}: {health:#}"))?.clone(),
            );
        }
        Ok(missing)
    }

    /// Ends the services, so that nothing more can come, and returns what came.
    pub(crate) fn close(self) -> Result<Received> {
        block_in_place(|| self.platform.stop())?;
        let received = self.collector.received();
        let mut all = format!("{received:?}");
        for (service, _) in self.platform.urls() {
            all += &self.platform.log(service)?;
        }
        for number in [CARD.to_owned(), CARD.replace(' ', "")] {
            ensure!(!all.contains(&number), "the card's number is in the telemetry, or in a log");
        }
        Ok(received)
    }
}

/// The spans of one trace; without those of jobs that SQLite refused to store: it has one writer at a time, and the order service tries
/// again.
pub(crate) fn trace(received: &Received, trace_id: TraceId) -> Forest {
    let refused = |span: &CapturedSpan| span.name().starts_with("push ") && span.is_error();
    Forest::new(received.spans().iter().filter(|span| span.trace_id() == trace_id && !refused(span)).cloned())
}
