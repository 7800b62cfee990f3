//! Orders that others have given up.

use std::time::Duration;

use anyhow::bail;
use tokio::time::sleep;
use traced_rabbitmq::{
    TracedConsumer,
    lapin::{Connection, message::Delivery, options::BasicAckOptions},
};

use super::store::Store;
use crate::{
    failure::Failure,
    order::Order,
    rabbitmq::{self, DEAD},
    shutdown::Shutdown,
};

pub(super) struct Intake {
    consumer: TracedConsumer,
    _connection: Connection,
}

impl Intake {
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let (connection, channel) = rabbitmq::connect(url).await?;
        let consumer = TracedConsumer::new(rabbitmq::consume(&channel, DEAD).await?);
        Ok(Self { consumer, _connection: connection })
    }

    pub(super) async fn work(mut self, store: &Store, shutdown: &Shutdown) -> anyhow::Result<()> {
        while let Some(delivery) = shutdown.or(self.consumer.next()).await {
            let Some(delivery) = delivery else { bail!("the queue is gone") };
            // Not `process_and_settle`, which gives up a message whose handler fails: this one is tried again.
            delivery?.process(async |letter| handle(&letter, store).await).await?;
        }
        Ok(())
    }
}

/// Every span in here is a child of the process span.
async fn handle(letter: &Delivery, store: &Store) -> Result<(), Failure> {
    match serde_json::from_slice::<Order>(&letter.data) {
        Ok(order) => {
            store.update(&order.id, "failed").await?;
            refund(&order).await;
        }
        // From here it goes nowhere.
        Err(error) => tracing::error!(%error, "a dead letter that is no order"),
    }
    letter.ack(BasicAckOptions::default()).await?;
    Ok(())
}

#[tracing::instrument(name = "refund customer", skip_all, fields(order.id = order.id))]
async fn refund(order: &Order) {
    sleep(Duration::from_millis(5)).await; // the bank
    tracing::warn!(order = order.id, item = order.item, "the order has failed, the customer is refunded");
}
