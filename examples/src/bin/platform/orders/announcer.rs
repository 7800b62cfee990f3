//! Tells the others of an order, after the customer has got the answer.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use traced_telemetry::opentelemetry::{Context, context::FutureExt as _};

use crate::{
    jobs::{Jobs, ProcessOrder},
    order::{Card, Order},
    rabbitmq::{CREATED, EXCHANGE, Publisher},
};

/// So many orders may wait for a broker that is away; further requests wait with them.
const WAITING: u32 = 1000;
/// At the end, a broker may be away for so long.
const LIMIT: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(super) struct Announcer {
    publisher: Arc<Publisher>,
    jobs: Jobs,
    waiting: Arc<Semaphore>,
}

impl Announcer {
    pub(super) fn new(publisher: Publisher, jobs: Jobs) -> Self {
        Self { publisher: Arc::new(publisher), jobs, waiting: Arc::new(Semaphore::new(WAITING as usize)) }
    }

    /// Hands an order over to a task of its own, which goes on until the order is with RabbitMQ and among the jobs: requests succeed
    /// while a broker restarts. (What waits is lost with this process. A shop would keep it in a table, an outbox.)
    pub(super) async fn announce(&self, order: Order, card: Card) {
        // An error: closed, which it never is.
        let place = Arc::clone(&self.waiting).acquire_owned().await.ok();
        let announcer = self.clone();
        let task = async move {
            announcer.send(order, card).await;
            drop(place);
        };
        // A task has no parent: without the context, its spans would start a trace, and the baggage would be gone.
        tokio::spawn(task.with_context(Context::current()));
    }

    /// Returns when nothing waits any more, or when a broker is away for too long.
    pub(super) async fn finish(&self) {
        if timeout(LIMIT, self.waiting.acquire_many(WAITING)).await.is_err() {
            tracing::error!("a broker is away, and orders that wait for it are lost");
        }
    }

    #[tracing::instrument(name = "announce order", skip_all, fields(order.id = order.id))]
    async fn send(&self, order: Order, card: Card) {
        let payload = order.to_json();
        // Two brokers, neither of which waits for the other.
        let job = ProcessOrder { order, card };
        tokio::join!(self.publisher.publish(EXCHANGE, CREATED, payload.as_bytes()), self.enqueue(&job));
    }

    async fn enqueue(&self, job: &ProcessOrder) {
        while let Err(error) = self.jobs.process_order(job.clone()).await {
            tracing::warn!(error = format!("{error:#}"), "process_order is enqueued again");
            sleep(WAIT).await;
        }
    }
}
