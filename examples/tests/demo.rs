//! The demo, as a user runs it.

use std::{fs, process::Command};

use anyhow::{Context as _, ensure};

/// Of each trace: how many services and hops it says, and the spans of each hop.
#[test]
fn every_order_is_one_trace_through_all_its_hops() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let svg = directory.path().join("trace.svg");
    // No collector is meant, and Kafka is the one inside the demo.
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--svg")
        .arg(&svg)
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .env_remove("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .env_remove("TRACED_KAFKA_URL")
        .output()?;
    let (said, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}{errors}");

    let traces: Vec<_> = said.split("\ntrace ").skip(1).collect();
    let facts = [
        "5 services, 5 broker hops, 0 broken",
        "5 services, 6 broker hops, 0 broken",
        "3 services, 4 broker hops, 0 broken",
    ];
    let packed = [
        "push process_order",
        "process process_order",
        "push send_notification",
        "process send_notification",
        "send e-mail",
        "send parcels",
        "process parcels",
        "publish shipped",
        "process shipped",
        "notify customer",
    ];
    let given_up = ["publish stock.dead", "process stock.dead", "refund customer"];
    assert_eq!(traces.len(), facts.len(), "{said}");
    for (trace, (facts, spans)) in traces.iter().zip(facts.into_iter().zip([&packed[..], &packed, &given_up])) {
        let head = trace.lines().next().context("a trace without a line")?;
        assert!(head.contains(facts), "not {facts}: {said}");
        for part in spans {
            assert!(trace.contains(part), "no {part:?} in trace {trace}");
        }
    }
    let svg = fs::read_to_string(&svg)?;
    for part in packed.iter().chain(&given_up) {
        assert!(svg.contains(part), "no {part:?} in the picture");
    }
    Ok(())
}
