//! The load mode's summary.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use examples::runner::{Brokers, Platform};
use tokio::task::block_in_place;

use crate::{TURN, command};

fn load() -> Command {
    let mut load = command(env!("CARGO_BIN_EXE_platform"), "load");
    load.args(["--orders", "20", "--concurrency", "4"]);
    load
}

fn said(load: &mut Command) -> Result<String> {
    let output = load.output()?;
    let (said, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}{errors}");
    // Bars are for terminals.
    ensure!(errors.is_empty(), "{errors}");
    Ok(said)
}

/// Of twenty orders two are tea and one is saffron.
#[test]
fn every_hop_is_counted_and_no_message_comes_without_a_context() -> Result<()> {
    let _turn = TURN.blocking_lock();
    let said = said(&mut load())?;
    ensure!(said.contains("\n20 orders were accepted in ") && said.contains("\n20 orders were done in "), "{said}");
    let counted = |part: &str, count: &str| {
        let mut lines = said.lines().filter(|line| line.contains(part));
        lines.any(|line| line.split_whitespace().any(|word| word == count))
    };
    for (hop, count) in [
        ("gateway           POST /orders ", "20"),
        ("order-service     publish orders:order.created ", "20"),
        // As a span, and as a wait.
        ("inventory-worker  process inventory ", "2"),
        ("job-worker        process process_order ", "24"),
        ("notifier          notify customer ", "19"),
        ("order-service     refund customer ", "1"),
        // Those of all batches.
        ("analytics-worker  process stock ", "20"),
        // Errors.
        ("out_of_stock", "2"),
        ("payment_declined", "5"),
    ] {
        ensure!(counted(hop, count), "not {count} of {hop}: {said}");
    }
    ensure!(said.ends_with("\nmessages without a context\n  none\n"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_runs_already_is_measured_from_outside() -> Result<()> {
    let _turn = TURN.lock().await;
    let brokers = Brokers::start().await?;
    let program = Path::new(env!("CARGO_BIN_EXE_platform"));
    let platform = Platform::start(program, &brokers, &[("OTEL_TRACES_EXPORTER", "none")]).await?;
    let mut load = load();
    load.args(["--gateway", platform.url("gateway")?]);
    for (_, url) in platform.urls() {
        load.args(["--health", url]);
    }
    let said = block_in_place(|| said(&mut load))?;
    ensure!(said.starts_with("20 orders were accepted in ") && !said.contains("spans"), "{said}");
    ensure!(said.ends_with("\nmessages without a context\n  none\n"), "{said}");
    block_in_place(|| platform.stop())
}
