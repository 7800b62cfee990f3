//! Cases about the process-wide providers: each has a process to itself, because they are set once and for all.

use crate::{Transport, register};
use anyhow::{Context as _, Result, ensure};
use std::future::Future;
use std::process::Command;
use test_brokers::Way;

const ALONE: &str = "TRACED_TEST_ALONE";

/// Runs the case in a new process of this test's program, which finds the broker by its address.
///
/// # Errors
///
/// What the other process printed, when the case fails there.
pub fn in_a_process_of_its_own<T, F>(name: &str, case: impl FnOnce() -> F) -> Result<()>
where
    T: Transport,
    F: Future<Output = Result<()>> + Send + 'static,
{
    // The path of a test begins below the crate.
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    if std::env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return register::run(case());
    }
    let name = name.to_owned();
    register::run(async move {
        let transport = T::shared().await?;
        let (variable, url) = transport.address();
        let mut program = Command::new(std::env::current_exe()?);
        program.args([name.as_str(), "--exact", "--nocapture", "--test-threads=1"]);
        program.env(ALONE, &name).env(variable, url).env_remove(Way::VARIABLE);
        let output = tokio::task::spawn_blocking(move || program.output()).await?.context("the test's own program")?;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "in a process of its own:\n{text}");
        ensure!(text.contains("1 passed"), "no such test in a process of its own:\n{text}");
        Ok(())
    })
}
