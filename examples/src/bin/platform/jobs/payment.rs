//! The job `process_order`.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use traced_apalis::apalis_core::task::{attempt::Attempt, data::Data};

use super::queue::{ATTEMPTS, Jobs, ProcessOrder};
use crate::{
    failure::Failure,
    notifier::Notification,
    order::{Card, Order},
    orders::store::Store,
    rabbitmq::{DEAD, Publisher},
};

/// What the job needs.
pub(super) struct Cashier {
    pub(super) store: Store,
    pub(super) dead_letters: Publisher,
    pub(super) jobs: Jobs,
}

/// Every span in here is a child of the process span, and so is the next job's. A job that fails is tried again, by apalis; the last
/// time its order becomes a dead letter.
pub(super) async fn process_order(
    job: ProcessOrder,
    attempt: Attempt,
    cashier: Data<Arc<Cashier>>,
) -> Result<(), Failure> {
    let ProcessOrder { order, card } = job;
    if let Err(declined) = charge(&order, &card, attempt.current()).await {
        if attempt.current() >= ATTEMPTS {
            // By the default exchange: straight to the queue.
            cashier.dead_letters.publish("", DEAD, order.to_json().as_bytes()).await;
        }
        return Err(declined);
    }
    write_invoice(&order).await;
    cashier.store.update(&order.id, "paid").await?;
    let text = format!("{} x {} is paid", order.quantity, order.item);
    cashier.jobs.send_notification(Notification { order: order.id, user: order.user, text }).await?;
    Ok(())
}

/// Spans made with `tracing`; an error becomes the span's status. The card is none of the fields.
#[tracing::instrument(
    name = "charge card",
    skip_all,
    err,
    fields(order.id = order.id, order.item = order.item, order.quantity = order.quantity)
)]
async fn charge(order: &Order, card: &Card, attempt: usize) -> Result<(), Failure> {
    tracing::info!(card = card.last_digits(), "the bank is asked");
    sleep(Duration::from_millis(4)).await; // the bank
    match order.item.as_str() {
        "tea" if attempt == 1 => Err(Failure::Declined),
        "saffron" => Err(Failure::Declined),
        _ => Ok(()),
    }
}

#[tracing::instrument(name = "write invoice", skip_all, fields(order.id = order.id))]
async fn write_invoice(order: &Order) {
    sleep(Duration::from_millis(3)).await;
    tracing::info!(order = order.id, "invoice written");
}
