//! What the orders' traces look like: every span, whose it is, what it hangs below and what it links.

use anyhow::{Result, ensure};
use traced_envelope::opentelemetry::trace::SpanKind;

use crate::scene::{NOTIFIED, REFUNDED, Scene, trace};

/// Up to the order service, it is the same for all orders.
pub(crate) fn request(parent: &str, order: &str) -> String {
    let mut text = format!(
        "
        POST /orders  gateway  SERVER{parent}
          users.Users/GetUser  gateway  CLIENT
            users.Users/GetUser  user-service  SERVER
              find user  user-service  INTERNAL
          GET  gateway  CLIENT
            GET /users/{{id}}/address  user-service  SERVER
              find user  user-service  INTERNAL
          POST  gateway  CLIENT
            POST /orders  order-service  SERVER
              seal receipt  order-service  INTERNAL
              INSERT orders  order-service  CLIENT
              announce order  order-service  INTERNAL
"
    );
    for line in order.lines().filter(|line| !line.trim().is_empty()) {
        text += &format!("      {line}\n");
    }
    text
}

pub(crate) const COFFEE: &str = "
          publish orders:order.created  order-service  PRODUCER
            process orders:order.created:inventory  inventory-worker  CONSUMER  → publish orders:order.created
              reserve stock  inventory-worker  INTERNAL
              send stock  inventory-worker  PRODUCER
                process stock  analytics-worker  CONSUMER  → send stock
                  count orders  analytics-worker  INTERNAL
          push process_order  order-service  PRODUCER
            process process_order  job-worker  CONSUMER  → push process_order
              charge card  job-worker  INTERNAL
              write invoice  job-worker  INTERNAL
              UPDATE orders  job-worker  CLIENT
              push send_notification  job-worker  PRODUCER
                process send_notification  job-worker  CONSUMER  → push send_notification
                  publish notifications  job-worker  PRODUCER
                    process notifications  notifier  CONSUMER  → publish notifications
                      notify customer  notifier  INTERNAL
";

/// Out of stock at the first attempt, and declined at the first payment.
const TEA: &str = "
          publish orders:order.created  order-service  PRODUCER
            process orders:order.created:inventory  inventory-worker  CONSUMER  → publish orders:order.created  ✗ out_of_stock
              reserve stock  inventory-worker  INTERNAL  ✗
              publish inventory  inventory-worker  CLIENT  → publish orders:order.created
            process inventory  inventory-worker  CONSUMER  → publish orders:order.created  {traced.message.attempt=2}
              reserve stock  inventory-worker  INTERNAL
              send stock  inventory-worker  PRODUCER
                process stock  analytics-worker  CONSUMER  → send stock
                  count orders  analytics-worker  INTERNAL
          push process_order  order-service  PRODUCER
            process process_order  job-worker  CONSUMER  → push process_order  ✗ payment_declined
              charge card  job-worker  INTERNAL  ✗
            process process_order  job-worker  CONSUMER  → push process_order  {traced.message.attempt=2}
              charge card  job-worker  INTERNAL
              write invoice  job-worker  INTERNAL
              UPDATE orders  job-worker  CLIENT
              push send_notification  job-worker  PRODUCER
                process send_notification  job-worker  CONSUMER  → push send_notification
                  publish notifications  job-worker  PRODUCER
                    process notifications  notifier  CONSUMER  → publish notifications  {tenant.id=blue}
                      notify customer  notifier  INTERNAL
";

/// Declined three times: a dead letter, and a refund.
const SAFFRON: &str = "
          publish orders:order.created  order-service  PRODUCER
            process orders:order.created:inventory  inventory-worker  CONSUMER  → publish orders:order.created
              reserve stock  inventory-worker  INTERNAL
              send stock  inventory-worker  PRODUCER
                process stock  analytics-worker  CONSUMER  → send stock
                  count orders  analytics-worker  INTERNAL
          push process_order  order-service  PRODUCER
            process process_order  job-worker  CONSUMER  → push process_order  ✗ payment_declined  {traced.message.attempt=1}
              charge card  job-worker  INTERNAL  ✗
            process process_order  job-worker  CONSUMER  → push process_order  ✗ payment_declined  {traced.message.attempt=2}
              charge card  job-worker  INTERNAL  ✗
            process process_order  job-worker  CONSUMER  → push process_order  ✗ payment_declined  {traced.message.attempt=3}
              charge card  job-worker  INTERNAL  ✗
              publish orders.dead  job-worker  PRODUCER
                process orders.dead  order-service  CONSUMER  → publish orders.dead
                  UPDATE orders  order-service  CLIENT
                  refund customer  order-service  INTERNAL
";

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_one_trace_through_all_services_and_nothing_else_is_one() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    let orders = [
        ("coffee", COFFEE, NOTIFIED, "paid"),
        ("tea", TEA, NOTIFIED, "paid"),
        ("saffron", SAFFRON, REFUNDED, "failed"),
    ];
    let mut traces = Vec::new();
    for (item, expected, ends, status) in orders {
        let order = scene.order(item, &[("x-tenant", "blue")]).await?;
        scene.wait_for(order.trace_id, &ends)?;
        scene.wait_for_status(&order, status).await?;
        traces.push((order.trace_id, expected));
    }
    let messages = scene.missing_contexts().await?;
    ensure!(messages.is_empty(), "without a context: {messages:?}");

    let received = scene.close()?;
    for (trace_id, expected) in &traces {
        trace(&received, *trace_id).assert_trace(&request("", expected));
    }
    // All services were asked for their health, more than once.
    let forest = received.forest();
    ensure!(forest.trace_ids().len() == traces.len(), "{forest}");
    for span in forest.spans().iter().filter(|span| span.service() == "notifier") {
        ensure!(span.attribute("tenant.id") == Some(&"blue".into()), "no tenant on {span:#?}");
    }
    // Of the clients of all brokers, and by their own crates; with the feature `tracing`, which all tests together turn on, by the service.
    for span in forest.spans().iter().filter(|span| matches!(span.kind(), SpanKind::Producer | SpanKind::Consumer)) {
        let scope = span.scope().name();
        ensure!(scope.starts_with("traced-") || scope == span.service(), "{span:#?}");
        ensure!(span.attribute("messaging.system").is_some(), "{span:#?}");
    }
    Ok(())
}
