//! Instructions, counted by valgrind's callgrind.
//!
//! gungraun and iai-callgrind do the same, each with a runner that has to be installed in the very version of the library; this needs
//! valgrind alone. The program runs itself once under callgrind, which collects inside [`collected`] only and writes its sums each time
//! that function returns.

use crate::suite::Suite;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

/// Given to the program that counts itself.
pub const ARGUMENT: &str = "--under-callgrind";

/// The function that callgrind watches.
#[inline(never)]
pub fn collected(run: &mut dyn FnMut(), messages: u32) {
    for _ in 0..messages {
        run();
    }
    // A tail call would leave the function before its work is done.
    black_box(());
}

/// What the program does under callgrind: each case, warmed up, once.
pub fn run_all(suite: &Suite) {
    for mut scene in suite.scenes() {
        for case in &mut scene.cases {
            for _ in 0..3 {
                (case.run)();
            }
            collected(&mut case.run, suite.counted);
        }
    }
}

/// The instructions of one message of each case, in order; `None` without valgrind.
pub fn count(suite: &Suite) -> Option<Vec<f64>> {
    let directory = tempfile::tempdir().ok()?;
    let program = std::env::current_exe().ok()?;
    let status = Command::new("valgrind")
        .arg("--tool=callgrind")
        .args(["--toggle-collect=*callgrind::collected", "--dump-after=*callgrind::collected"])
        .arg(format!("--callgrind-out-file={}", directory.path().join("out").display()))
        .arg(program)
        .arg(ARGUMENT)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.ok().filter(std::process::ExitStatus::success)?;
    let cases: usize = suite.scenes().map(|scene| scene.cases.len()).sum();
    (1..=cases)
        .map(|dump| Some(read(&directory.path().join(format!("out.{dump}")))? / f64::from(suite.counted)))
        .collect()
}

fn read(dump: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(dump).ok()?;
    let sum = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")))?;
    sum.trim().parse().ok()
}
