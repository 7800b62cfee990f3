//! Pub/sub: one subscriber.

use super::{RUNS, connect, pipelined};
use crate::rounds::{self, Measured, TRACEPARENT, Way, measure};
use anyhow::{Context as _, Result};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands, Client};
use std::convert::Infallible;
use std::hint::black_box;
use traced_envelope::MessageHeaders;
use traced_envelope::propagation::W3cPropagator;
use traced_redis::{Form, Settings, TracedConsumer, TracedProducer};

const CHANNEL: &str = "throughput";

pub(super) async fn compare(client: &Client) -> Result<()> {
    let connection = connect(client).await?;
    for (size, messages) in RUNS {
        let title = format!("Redis pub/sub, {size} bytes, {messages} messages a run");
        rounds::compare(&title, async |way| {
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(CHANNEL).await?;
            run(&connection, subscription, way, size, messages).await
        })
        .await?;
    }
    Ok(())
}

async fn run(
    connection: &MultiplexedConnection,
    subscription: PubSub,
    way: Way,
    size: usize,
    messages: usize,
) -> Result<Measured> {
    let payload = vec![b'x'; size];
    if way == Way::Traced {
        let settings = Settings::default().propagator(W3cPropagator::new());
        let producer = TracedProducer::with_settings(connection.clone(), Form::Binary, &settings);
        let publish = pipelined(messages, || {
            let (mut producer, payload) = (producer.clone(), &payload);
            async move { producer.publish(CHANNEL, payload).await }
        });
        let mut consumer = TracedConsumer::with_settings(subscription, &settings);
        let consume = async {
            for _ in 0..messages {
                let message = consumer.next().await.context("the subscription ended")??;
                message
                    .process(async |message| {
                        black_box(message);
                        Ok::<_, Infallible>(())
                    })
                    .await?;
            }
            Ok(())
        };
        return measure(messages, async { tokio::try_join!(publish, consume).map(drop) }).await;
    }
    let payload = match way {
        // The frame of ours, made once.
        Way::WithHeader => {
            let headers: MessageHeaders = [("traceparent", TRACEPARENT)].into_iter().collect();
            Form::Binary.encode(&headers, &payload).into_owned()
        }
        Way::Bare | Way::Traced => payload,
    };
    let publish = pipelined(messages, || {
        let (mut connection, payload) = (connection.clone(), &payload);
        async move { connection.publish::<_, _, usize>(CHANNEL, payload).await }
    });
    let mut received = subscription.into_on_message();
    let consume = async {
        for _ in 0..messages {
            black_box(received.next().await.context("the subscription ended")?);
        }
        Ok(())
    };
    measure(messages, async { tokio::try_join!(publish, consume).map(drop) }).await
}
