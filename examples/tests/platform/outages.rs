//! The collector is down, and a broker restarts in the middle.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use test_collector::unreachable;
use tokio::time::sleep;
use traced_envelope::testing::Forest;

use crate::{
    scene::{LIMIT, NOTIFIED, REFUNDED, Scene, trace},
    traces::{COFFEE, request},
};

/// Telemetry is nothing that an order waits for.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_done_while_the_collector_is_down() -> Result<()> {
    let scene = Scene::open_towards(&unreachable()?).await?;
    for item in ["coffee", "tea"] {
        let order = scene.order(item, &[]).await?;
        // An exporter would hold it up for ten seconds.
        ensure!(order.took < Duration::from_secs(5), "the answer took {:?}", order.took);
        scene.wait_for_status(&order, "paid").await?;
        scene.wait_for_line("notifier", "customer notified", &order).await?;
    }
    scene.wait_for_counted(2).await?;
    let start = Instant::now();
    let health = loop {
        let health = scene.health("order-service").await?;
        if health["spans"]["export_errors"].as_u64() > Some(0) {
            break health;
        }
        ensure!(start.elapsed() < LIMIT, "nothing failed: {health:#}");
        sleep(Duration::from_millis(20)).await;
    };
    ensure!(health["status"] == "degraded", "{health:#}");
    // They end well, too.
    scene.close().map(drop)
}

/// It is ordered while RabbitMQ is away: the order service goes on publishing, the workers go on connecting.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_outlasts_a_restart_of_rabbitmq_in_one_trace() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    // All connections are there: one that is lost is opened again, one that cannot be had at the start is an error.
    let before = scene.order("coffee", &[]).await?;
    scene.wait_for(before.trace_id, &NOTIFIED)?;

    scene.brokers.rabbitmq().stop().await?;
    let order = scene.order("coffee", &[]).await;
    // First, in any case: the other tests need it, too.
    scene.brokers.rabbitmq().start_again().await?;
    let order = order.context("while RabbitMQ was away")?;
    ensure!(order.took < Duration::from_secs(10), "the answer took {:?}", order.took);
    scene.wait_for(order.trace_id, &NOTIFIED)?;
    scene.wait_for_status(&order, "paid").await?;

    ensure!(scene.log("order-service")?.contains("is published again"), "it was not away");
    let received = scene.close()?;
    ensure!(received.forest().trace_ids().len() == 2, "{}", received.forest());
    let forest = trace(&received, order.trace_id);
    // However often it was tried: each publish is a span, and one was confirmed.
    let (tried, confirmed) = forest
        .spans()
        .iter()
        .filter(|span| span.name() == "publish orders:order.created")
        .fold((0, 0), |(tried, confirmed), span| (tried + 1, confirmed + u32::from(!span.is_error())));
    ensure!(tried >= 1 && confirmed == 1, "{tried} tries, {confirmed} confirmed:\n{forest}");
    let others = forest.spans().iter().filter(|span| !(span.name().starts_with("publish orders:") && span.is_error()));
    Forest::new(others.cloned()).assert_trace(&request("", COFFEE));
    Ok(())
}

/// Not only where the bank declines: the customer gets back what was charged for an order that cannot be finished.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_after_the_charge_is_refunded() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let database = format!("sqlite://{}?mode=rwc", directory.path().join("platform.db").display());
    let scene = Scene::open(&[("DATABASE_URL", &database)]).await?;
    let mut connection = SqliteConnection::connect(&database).await?;
    let trigger = "CREATE TRIGGER never_paid BEFORE UPDATE ON orders WHEN NEW.status = 'paid'
        BEGIN SELECT RAISE(FAIL, 'a fault of the database'); END";
    connection.execute(trigger).await?;
    connection.close().await?;

    let order = scene.order("coffee", &[]).await?;
    scene.wait_for(order.trace_id, &REFUNDED)?;
    scene.wait_for_status(&order, "failed").await?;
    let received = scene.close()?;
    let charges = trace(&received, order.trace_id).spans().iter().filter(|span| span.name() == "charge card").count();
    ensure!(charges == 3, "the bank was asked {charges} times");
    Ok(())
}
