//! Contexts from outside, in the W3C's form and in B3's, sampled and not.

use anyhow::{Result, ensure};
use traced_envelope::opentelemetry::TraceId;

use crate::{
    scene::{NOTIFIED, Scene},
    traces::{COFFEE, request},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Every hop carries B3: the services have no other propagator.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_began_elsewhere_goes_on_in_b3() -> Result<()> {
    let scene = Scene::open(&[("OTEL_PROPAGATORS", "b3")]).await?;
    let b3 = format!("{TRACE}-{PARENT}-1");
    let order = scene.order("coffee", &[("b3", &b3)]).await?;
    ensure!(order.trace_id == TraceId::from_hex(TRACE)?);
    scene.wait_for(order.trace_id, &NOTIFIED)?;

    let forest = scene.close()?.forest();
    forest.assert_one_trace();
    let root = forest.roots().next().map(|tree| tree.span().clone());
    ensure!(root.is_some_and(|span| span.parent_id().is_some_and(|parent| parent.to_string() == PARENT)), "{forest}");
    forest.assert_trace(&request("  ⇠ remote parent", COFFEE));
    Ok(())
}

/// Nothing is recorded of it, and the last hop knows still whose trace it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsampled_request_is_propagated_and_nothing_of_it_exported() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    let traceparent = format!("00-{TRACE}-{PARENT}-00");
    for (item, counted) in [("coffee", 1), ("tea", 2)] {
        let order = scene.order(item, &[("traceparent", &traceparent), ("x-tenant", "blue")]).await?;
        ensure!(order.trace_id == TraceId::from_hex(TRACE)?);
        scene.wait_for_status(&order, "paid").await?;
        let stock = scene.wait_for_line("inventory-worker", "taken out of the stock", &order).await?;
        let told = scene.wait_for_line("notifier", "customer notified", &order).await?;
        for line in [stock, told] {
            ensure!(line["trace_id"] == TRACE && line["trace_flags"] == "00", "{line:#}");
        }
        let told = scene.wait_for_line("notifier", "blue", &order).await?;
        ensure!(told["fields"]["tenant"] == "blue", "{told:#}");
        // One by one: two messages in one batch would have no parent, only links, and its span would be sampled by itself.
        scene.wait_for_counted(counted).await?;
    }
    let received = scene.close()?;
    ensure!(received.spans().is_empty(), "exported:\n{}", received.forest());
    // The services did export: metrics.
    ensure!(received.metrics().count() > 0);
    Ok(())
}
