//! `cargo bench -p benches --bench overhead`: instructions, times and allocations of every case, beside the budget.
//!
//! `-- --loop "consume, sampled" traced` repeats one case for five seconds, for a profiler. `-- --markdown` writes Markdown. Instructions need valgrind on the machine, and are left out without it.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use benches::table::{Row, draw};
use benches::times::Time;
use benches::{callgrind, scenes::SCENES, times};
use std::process::Command;
use std::time::{Duration, Instant};

fn main() -> anyhow::Result<()> {
    let has = |argument: &str| std::env::args().any(|given| given == argument);
    if has(callgrind::ARGUMENT) {
        callgrind::run_all();
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let Some([_, scene, case]) = arguments.windows(3).find(|window| window.first().is_some_and(|it| it == "--loop"))
    {
        repeat(scene, case);
        return Ok(());
    }
    let markdown = has("--markdown");
    let counted = callgrind::count();
    if counted.is_none() {
        println!("No instructions: valgrind is not on this machine, or failed.\n");
    }
    let mut counted = counted.map(Vec::into_iter);
    let allocations = Command::new(env!("CARGO_BIN_EXE_count-allocations")).output()?;
    let allocations = String::from_utf8(allocations.stdout)?;
    let mut allocations = allocations.lines();
    for scene in SCENES {
        let mut scene = scene();
        let measured = times::measure(&mut scene);
        let mut alone: Option<Row> = None;
        let mut rows = Vec::new();
        for (case, time) in scene.cases.iter().zip(measured) {
            let instructions = counted.as_mut().and_then(Iterator::next);
            let allocations = allocations.next().unwrap_or_default().parse::<u64>()?;
            let row = Row { name: case.name, time, instructions, allocations, budget: case.budget };
            match &alone {
                None => alone = Some(row),
                Some(alone) => rows.push(without(row, alone)),
            }
        }
        println!("{}", draw(scene.title, &rows, markdown));
    }
    Ok(())
}

fn repeat(scene: &str, case: &str) {
    let start = Instant::now();
    for mut found in SCENES.iter().map(|scene| scene()).filter(|found| found.title == scene) {
        for case in found.cases.iter_mut().filter(|found| found.name == case) {
            while start.elapsed() < Duration::from_secs(5) {
                (0..1000).for_each(|_| (case.run)());
            }
        }
    }
}

/// Takes off what the transport costs by itself.
fn without(row: Row, alone: &Row) -> Row {
    Row {
        time: Time { median: row.time.median - alone.time.median, ..row.time },
        instructions: row.instructions.zip(alone.instructions).map(|(all, alone)| all - alone),
        allocations: row.allocations.saturating_sub(alone.allocations),
        ..row
    }
}
