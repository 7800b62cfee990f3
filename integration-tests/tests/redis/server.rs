//! What every test starts with: a client of the server, channels of its own, a capture.

use std::future::Future;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, Msg, PushInfo};
use test_brokers::Redis;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use traced_envelope::testing::{Capture, CapturedSpan};
use traced_redis::{Form, Settings, Subscription, TracedConsumer, TracedMessage, TracedProducer};

/// Longer than a busy machine needs; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, shared or a test's own.
pub(crate) struct Server {
    pub(crate) capture: Capture,
    pub(crate) client: Client,
    /// Last, so that the server outlives its clients.
    pub(crate) broker: Arc<Redis>,
}

impl Server {
    pub(crate) async fn shared() -> Result<Self> {
        Self::of(Redis::shared().await?)
    }

    /// For what others would notice.
    pub(crate) async fn own() -> Result<Self> {
        Self::of(Arc::new(Redis::start().await?))
    }

    fn of(broker: Arc<Redis>) -> Result<Self> {
        Ok(Self { capture: Capture::new(), client: Client::open(broker.url())?, broker })
    }

    /// Settings of the service that publishes.
    pub(crate) fn shop(&self) -> Settings {
        self.capture.settings("shop")
    }

    /// Settings of the service that consumes.
    pub(crate) fn warehouse(&self) -> Settings {
        self.capture.settings("warehouse")
    }

    /// One that waits longer than half a second, which is redis' default.
    pub(crate) async fn connection(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        Ok(soon(self.client.get_multiplexed_async_connection_with_config(&config)).await??)
    }

    pub(crate) async fn producer(&self, form: Form) -> Result<TracedProducer<MultiplexedConnection>> {
        Ok(TracedProducer::with_settings(self.connection().await?, form, &self.shop()))
    }

    pub(crate) async fn subscription(&self, channel: &str) -> Result<PubSub> {
        let mut subscription = soon(self.client.get_async_pubsub()).await??;
        soon(subscription.subscribe(channel)).await??;
        Ok(subscription)
    }

    pub(crate) async fn consumer(&self, channel: &str) -> Result<TracedConsumer<PubSub>> {
        Ok(TracedConsumer::with_settings(self.subscription(channel).await?, &self.warehouse()))
    }

    /// The same server by the newer protocol.
    pub(crate) fn resp3(&self) -> Result<Client> {
        let separator = if self.broker.url().contains('?') { '&' } else { '?' };
        Ok(Client::open(format!("{}{separator}protocol=resp3", self.broker.url()))?)
    }

    /// A RESP3 connection, and what it is pushed.
    pub(crate) async fn pushed(&self) -> Result<(MultiplexedConnection, UnboundedReceiver<PushInfo>)> {
        let (sender, receiver) = unbounded_channel();
        let config = AsyncConnectionConfig::new().set_push_sender(sender);
        Ok((soon(self.resp3()?.get_multiplexed_async_connection_with_config(&config)).await??, receiver))
    }
}

/// The consumer's next message.
pub(crate) async fn next<S: Subscription + Unpin>(consumer: &mut TracedConsumer<S>) -> Result<TracedMessage> {
    Ok(soon(consumer.next()).await?.context("the stream has ended")??)
}

/// The payload of the consumer's next message, as its handler gets it.
pub(crate) async fn processed<S: Subscription + Unpin>(consumer: &mut TracedConsumer<S>) -> Result<Vec<u8>> {
    next(consumer).await?.process(async |message| anyhow::Ok(message.payload().to_vec())).await
}

/// What a subscriber that knows nothing of tracing gets next.
pub(crate) async fn bare(subscription: &mut PubSub) -> Result<Msg> {
    let mut messages = std::pin::pin!(subscription.on_message());
    soon(futures_util::StreamExt::next(&mut messages)).await?.context("the stream has ended")
}

/// Waits, but not for ever.
pub(crate) async fn soon<F: Future>(future: F) -> Result<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.context("nothing happened for a long time")
}

/// A name that nobody else on the server has.
pub(crate) fn unique(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{name}.{}.{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The attribute's text, whatever its type.
pub(crate) fn attribute(span: &CapturedSpan, key: &str) -> Option<String> {
    span.attribute(key).map(ToString::to_string)
}

/// The `traceparent` that a span of this context writes, without the flags: those are the sampler's and id generator's matter.
pub(crate) fn traceparent(span: &CapturedSpan) -> String {
    format!("00-{}-{}-", span.trace_id(), span.span_id())
}
