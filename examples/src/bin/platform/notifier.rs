//! The service that tells customers what became of their orders. It is told by Redis, to whom nobody has to listen: who sends asks how
//! many heard it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};
use traced_redis::{
    Form, Message, TracedConsumer, TracedProducer,
    opentelemetry::{Context, KeyValue, baggage::BaggageExt as _, trace::TraceContextExt as _},
    redis::{
        Client,
        aio::{ConnectionManager, PubSub},
    },
};

use crate::{failure::Failure, reconnect, service, settings::Settings, shutdown::Shutdown};

pub(crate) const NAME: &str = "notifier";
const PORT: u16 = 8086;

const CHANNEL: &str = "notifications";
/// For so long Redis may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Notification {
    pub(crate) order: String,
    pub(crate) user: String,
    pub(crate) text: String,
}

/// The end of the service before.
#[derive(Clone)]
pub(crate) struct Notifications(TracedProducer<ConnectionManager>);

impl Notifications {
    /// With a connection that comes again by itself.
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let client = Client::open(url)?;
        let connection =
            timeout(LIMIT, client.get_connection_manager()).await.context("no connection to Redis in time")?;
        Ok(Self(TracedProducer::new(connection.context("no connection to Redis")?, Form::Binary)))
    }

    /// JSON, with the context in it, since a message of Redis has no headers: `{"trace_context":{..},"payload":{..}}`.
    pub(crate) async fn publish(&self, notification: &Notification) -> anyhow::Result<()> {
        let mut producer = self.0.clone(); // of the same connection
        for _ in 0..10 {
            // With the number of receivers the span ends.
            match producer.publish_json(CHANNEL, notification).await {
                Ok(0) => tracing::warn!("nobody listens to {CHANNEL} yet"),
                Ok(_) => return Ok(()),
                Err(error) => tracing::warn!(%error, "Redis is away"),
            }
            sleep(Duration::from_secs(1)).await;
        }
        bail!("nobody was told of order {}", notification.order)
    }
}

pub(crate) async fn serve() -> anyhow::Result<()> {
    let _telemetry = traced_telemetry::Setup::new(NAME).version(env!("CARGO_PKG_VERSION")).init()?;
    let settings = Settings::from_environment(PORT)?;
    let shutdown = Shutdown::on_signal()?;

    let open = async || subscribe(&settings.redis_url).await;
    let work = async |consumer| listen(consumer, &shutdown).await;
    let first = open().await.context("no connection to Redis")?;
    let work = reconnect::work(&shutdown, "Redis", first, open, work);
    service::run(&settings, Router::new(), shutdown.clone(), work).await
}

async fn subscribe(url: &str) -> anyhow::Result<TracedConsumer<PubSub>> {
    let client = Client::open(url)?;
    let mut subscription = timeout(LIMIT, client.get_async_pubsub()).await??;
    subscription.subscribe(CHANNEL).await?;
    Ok(TracedConsumer::new(subscription))
}

async fn listen(mut consumer: TracedConsumer<PubSub>, shutdown: &Shutdown) -> anyhow::Result<()> {
    while let Some(message) = shutdown.or(consumer.next()).await {
        let Some(message) = message else { bail!("the subscription is gone") };
        if let Err(failure) = message?.process(tell).await {
            tracing::error!("{failure}");
        }
    }
    Ok(())
}

/// Every span in here is a child of the process span.
async fn tell(message: Message) -> Result<(), Failure> {
    // Set at the gateway, six hops ago.
    let context = Context::current();
    let tenant = context.baggage().get("tenant.id").map(ToString::to_string).unwrap_or_default();
    // The current span is the process span.
    context.span().set_attribute(KeyValue::new("tenant.id", tenant.clone()));
    let notification: Notification = message.json().map_err(|_| Failure::Unreadable)?;
    notify(&notification, &tenant).await;
    Ok(())
}

#[tracing::instrument(name = "notify customer", skip_all, fields(order.id = notification.order, tenant.id = tenant))]
async fn notify(notification: &Notification, tenant: &str) {
    sleep(Duration::from_millis(3)).await; // the telephone company
    tracing::info!(
        order = notification.order,
        user = notification.user,
        tenant,
        "customer notified: {}",
        notification.text
    );
}
