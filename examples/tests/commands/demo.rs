//! The demo's traces.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use test_collector::Collector;

use crate::{TURN, command};

/// Of each trace: how many services and hops it says, and the spans of each hop.
#[test]
fn every_order_is_one_trace_through_all_its_hops() -> Result<()> {
    let _turn = TURN.blocking_lock();
    let directory = tempfile::tempdir()?;
    let svg = directory.path().join("trace.svg");
    let collector = Collector::start()?;
    let output = command(env!("CARGO_BIN_EXE_platform"), "demo")
        .arg("--svg")
        .arg(&svg)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .output()?;
    let (said, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}{errors}");

    let traces: Vec<_> = said.split("\ntrace ").skip(1).collect();
    let facts = ["7 services, ", "7 services, ", "6 services, "];
    let packed = ["notify customer", "write invoice", "count orders", "process stock"];
    let given_up = ["refund customer", "dead letter, confirmed", "count orders"];
    assert_eq!(traces.len(), facts.len(), "{said}");
    for (trace, (facts, spans)) in traces.iter().zip(facts.into_iter().zip([&packed[..], &packed, &given_up])) {
        let head = trace.lines().next().context("a trace without a line")?;
        ensure!(head.contains(facts) && head.contains(" 0 broken"), "not {facts}: {said}");
        for part in spans {
            ensure!(trace.contains(part), "no {part:?} in trace {trace}");
        }
    }
    let svg = fs::read_to_string(&svg)?;
    for part in packed.iter().chain(&given_up) {
        ensure!(svg.contains(part), "no {part:?} in the picture");
    }
    // What was shown was also sent on, and nothing else: not the order ahead of them.
    let forest = collector.received().forest();
    assert_eq!(forest.trace_ids().len(), facts.len(), "{forest}");
    assert_eq!(said.matches("notify customer").count(), forest.to_string().matches("notify customer").count());
    Ok(())
}
