//! redis: published, or added to a stream, with at most [`WINDOW`] commands unanswered on one connection, and received over another at the
//! same time.

mod pubsub;
mod streams;

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use std::future::Future;
use std::time::Duration;
use test_brokers::Redis;

/// Answers that are not waited for yet.
const WINDOW: usize = 200;
/// redis waits half a second for an answer, which is not enough on a busy machine.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes and messages of a run.
const RUNS: [(usize, usize); 2] = [(100, 2_000), (10 * 1024, 1_000)];

pub(crate) async fn compare() -> Result<()> {
    let broker = Redis::shared().await?;
    println!("{}; window {WINDOW}", broker.describe());
    let client = Client::open(broker.url())?;
    pubsub::compare(&client).await?;
    streams::compare(&client).await
}

async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER)).set_connection_timeout(Some(ANSWER));
    client.get_multiplexed_async_connection_with_config(&config).await
}

async fn pipelined<T, F>(messages: usize, send: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = RedisResult<T>>,
{
    let sent = stream::iter(0..messages).map(|_| send()).buffer_unordered(WINDOW);
    Ok(sent.try_for_each(async |_| Ok(())).await?)
}
