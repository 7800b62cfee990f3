//! This test program again, as a service of its own.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// What the service wrote.
pub(crate) struct Written {
    pub(crate) lines: Vec<String>,
}

/// Plays a scene in a process with these variables and no others.
pub(crate) fn service(scene: &str, variables: &[(&str, &str)]) -> Result<Written> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "a_service", "--nocapture", "--test-threads=1", "--quiet"])
        .env_clear()
        .env("TRACED_TEST_SCENE", scene)
        .envs(variables.iter().copied())
        .output()?;
    let written = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{scene}: {written}{}", String::from_utf8_lossy(&output.stderr));
    Ok(Written { lines: written.lines().map(str::to_owned).collect() })
}

impl Written {
    /// What the scene gave back.
    pub(crate) fn result(&self) -> Result<&str> {
        let result = self.lines.iter().find_map(|line| line.strip_prefix("result "));
        result.with_context(|| format!("no result in {:#?}", self.lines))
    }

    /// Where that is a health report.
    pub(crate) fn health(&self) -> Result<Value> {
        Ok(serde_json::from_str(self.result()?)?)
    }

    /// The log line with this message.
    pub(crate) fn log(&self, message: &str) -> Result<Value> {
        let mut lines = self.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let found = lines.find(|line| line["message"].as_str().is_some_and(|found| found.contains(message)));
        found.with_context(|| format!("no `{message}` in {:#?}", self.lines))
    }

    /// The line of a span on the console.
    pub(crate) fn span(&self, name: &str) -> Result<&str> {
        let start = format!("span  {name}  ");
        let found = self.lines.iter().find(|line| line.starts_with(&start));
        found.map(String::as_str).with_context(|| format!("no span `{name}` in {:#?}", self.lines))
    }
}
