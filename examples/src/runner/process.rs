//! One service as a process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use test_brokers::Process;

const LAST_LINES: usize = 10;

pub(super) struct Service {
    pub(super) name: &'static str,
    /// Where its health checks are, and what else it serves.
    pub(super) url: String,
    log: PathBuf,
    /// `None` once it was asked to end.
    process: Mutex<Option<Process>>,
}

impl Service {
    /// Starts `program serve NAME` in `directory`, where its log is, too. Of this process's environment it gets nothing that would
    /// change its telemetry.
    pub(super) fn start<'a>(
        program: &Path,
        directory: &Path,
        name: &'static str,
        url: String,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let mut command = Command::new(program);
        command.args(["serve", name]);
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|name| name.starts_with("OTEL_") || name == "RUST_LOG") {
                command.env_remove(variable);
            }
        }
        command.env("TRACED_LOG_LINES", "json").env("OTEL_SERVICE_NAME", name).envs(variables);
        let process = Process::start(&mut command, directory, &log)?;
        Ok(Self { name, url, log, process: Mutex::new(Some(process)) })
    }

    /// An error, with its last words, where it has ended without having been asked to.
    pub(super) fn check(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        match process.as_mut().map(Process::is_alive).transpose()? {
            Some(false) => Err(anyhow!("{} has ended; its log ends with:\n{}", self.name, self.last_lines())),
            Some(true) | None => Ok(()),
        }
    }

    /// Asks it to end, and kills it where it does not within `limit`.
    ///
    /// # Errors
    ///
    /// When it had to be killed, or did not end well.
    pub(super) fn stop(&self, limit: Duration) -> Result<()> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(process) = process else { return Ok(()) };
        let status = process.terminate(limit)?;
        let status = status.with_context(|| {
            format!("{} did not end within {} s; its log ends with:\n{}", self.name, limit.as_secs(), self.last_lines())
        })?;
        if !status.success() {
            bail!("{} ended with {status}; its log ends with:\n{}", self.name, self.last_lines());
        }
        Ok(())
    }

    /// All that it has written.
    pub(super) fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("cannot read {}", self.log.display()))
    }

    pub(super) fn last_lines(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let skipped = lines.len().saturating_sub(LAST_LINES);
        lines.iter().skip(skipped).fold(String::new(), |all, line| all + "  " + line + "\n")
    }
}
