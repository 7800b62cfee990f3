//! What the demo and the load mode play in: brokers, a collector, and the services.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use examples::runner::{Brokers, Customer, Platform};
use test_collector::Collector;
use tokio::time::{sleep, timeout};
use traced_envelope::testing::{CapturedSpan, Forest};
use traced_rabbitmq::opentelemetry::TraceId;

use crate::forward::Forward;

/// Of this many spans none is to be lost while a machine is busy: `OTEL_BSP_MAX_QUEUE_SIZE`.
const SPANS: &str = "65536";
/// After so many milliseconds spans are sent: somebody waits for them.
const DELAY: &str = "100";
/// After so long all of them have done so.
const SENT: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// The variables that say what is sent, rather than where and how: they are the user's.
const FROM_USER: [&str; 3] = ["OTEL_RESOURCE_ATTRIBUTES", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_PROPAGATORS"];

pub(crate) struct Scene {
    program: &'static str,
    // Before the brokers: what uses them ends first.
    pub(crate) platform: Platform,
    pub(crate) collector: Collector,
    /// The trace of the order that was sent ahead.
    ahead: TraceId,
    forward: Forward,
    _brokers: Brokers,
}

impl Scene {
    /// Starts it all, and sends an order ahead that nobody looks at: the first one opens connections and joins groups, and its trace
    /// would show that.
    pub(crate) async fn open(program: &'static str) -> anyhow::Result<Self> {
        println!("{program}: waiting for RabbitMQ and Redis");
        let brokers = Brokers::start().await?;
        for broker in brokers.describe() {
            println!("{program}: {broker}");
        }
        let forward = Forward::from_environment()?;
        let collector = match forward.sender() {
            Some(send) => Collector::forwarding(send)?,
            None => Collector::start()?,
        };
        let endpoint = collector.endpoint();
        let user: Vec<_> = FROM_USER.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))).collect();
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", DELAY),
            ("OTEL_BSP_MAX_QUEUE_SIZE", SPANS),
        ];
        variables.extend(user.iter().map(|(name, value)| (*name, value.as_str())));
        println!("{program}: starting the services");
        let itself: PathBuf = std::env::current_exe().context("the program's own file")?;
        let platform = Platform::start(&itself, &brokers, &variables).await?;
        let mut scene = Self { program, platform, collector, ahead: TraceId::INVALID, forward, _brokers: brokers };
        scene.ahead = scene.warm_up().await?;
        Ok(scene)
    }

    /// What arrived since, in traces.
    pub(crate) fn forest(&self) -> Forest {
        let later = |span: &&CapturedSpan| span.trace_id() != self.ahead;
        self.collector.inspect(|received| Forest::new(received.spans().iter().filter(later).cloned()))
    }

    async fn warm_up(&self) -> anyhow::Result<TraceId> {
        println!("{}: one order ahead, which opens connections", self.program);
        let order = Customer::new()?.order(self.platform.url("gateway")?, "water", &[]).await?;
        let arrived = async {
            let has = |end| self.collector.inspect(|received| received.spans().iter().any(|span| span.name() == end));
            while !(has("notify customer") && has("count orders")) {
                sleep(POLL).await;
            }
            // The other services send what they have at times of their own.
            let mut before = 0;
            while before != self.collector.inspect(|received| received.spans().len()) {
                before = self.collector.inspect(|received| received.spans().len());
                sleep(SENT).await;
            }
        };
        timeout(LIMIT, arrived).await.with_context(|| {
            format!(
                "order {} was not done within {} s:\n{}",
                order.id,
                LIMIT.as_secs(),
                self.collector.received().forest()
            )
        })?;
        self.collector.clear();
        self.forward.open();
        Ok(order.trace_id)
    }

    /// Ends the services, so that all telemetry is here, and waits until it was sent on.
    pub(crate) async fn close(&mut self) -> anyhow::Result<()> {
        tokio::task::block_in_place(|| self.platform.stop())?;
        self.forward.finish(self.program).await;
        Ok(())
    }
}
