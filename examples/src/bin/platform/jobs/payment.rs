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
    let paid = pay(&job, attempt.current(), &cashier).await;
    if paid.is_err() && attempt.current() >= ATTEMPTS {
        // By the default exchange: straight to the queue.
        cashier.dead_letters.publish("", DEAD, job.order.to_json().as_bytes()).await;
    }
    paid
}

async fn pay(ProcessOrder { order, card }: &ProcessOrder, attempt: usize, cashier: &Cashier) -> Result<(), Failure> {
    charge(order, card, attempt).await?;
    write_invoice(order).await;
    cashier.store.update(&order.id, "paid").await?;
    let text = format!("{} x {} is paid", order.quantity, order.item);
    let (order, user) = (order.id.clone(), order.user.clone());
    cashier.jobs.send_notification(Notification { order, user, text }).await?;
    Ok(())
}

/// Spans made with `tracing`; an error becomes the span's status. The card is none of the fields. What fails after it is tried again from
/// the start, so that the bank is asked again: the order's id is the request's idempotency key, and one id is charged once.
#[tracing::instrument(
    name = "charge card",
    skip_all,
    err,
    fields(order.id = order.id, order.item = order.item, order.quantity = order.quantity)
)]
async fn charge(order: &Order, _card: &Card, attempt: usize) -> Result<(), Failure> {
    tracing::info!(order = order.id, idempotency_key = order.id, "the bank is asked");
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
