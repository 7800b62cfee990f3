//! However the demo ends, no service stays behind.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{TURN, command};

const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// A demo of a program with a name of its own, to tell its processes from those of other tests.
struct Demo {
    directory: TempDir,
    child: Option<Child>,
}

impl Demo {
    /// Returns when the first order was sent.
    fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let program = directory.path().join("platform");
        fs::copy(env!("CARGO_BIN_EXE_platform"), &program)?;
        let program = program.to_str().context("not UTF-8")?;
        let mut child = command(program, "demo").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let demo = Self { directory, child: Some(child) };
        let first = lines.find(|line| line.as_ref().map_or(true, |line| line.contains("POST /orders")));
        first.context("it did not begin")??;
        // Read on, or its lines would be an error.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(demo)
    }

    /// The services that run, by their names.
    fn services(&self) -> Result<Vec<(String, Pid)>> {
        let serve = format!("{}\0serve\0", self.directory.path().join("platform").display());
        let mut found = Vec::new();
        for process in fs::read_dir("/proc")? {
            let process = process?;
            // One that ends meanwhile has none.
            let command = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
            if let Some(service) = command.strip_prefix(&serve) {
                let pid = process.file_name().to_str().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
                found.push((service.trim_end_matches('\0').to_owned(), pid.context("no number")?));
            }
        }
        Ok(found)
    }

    /// Waits until it has ended with an error; returns what it said of it.
    fn failed(&mut self) -> Result<String> {
        let child = self.child.as_mut().context("it has ended")?;
        let start = Instant::now();
        while child.try_wait()?.is_none() {
            ensure!(start.elapsed() < LIMIT, "it does not end");
            sleep(POLL);
        }
        let output = self.child.take().context("it has ended")?.wait_with_output()?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(!output.status.success(), "it ended well: {said}");
        ensure!(self.services()?.is_empty(), "left behind: {:?}", self.services()?);
        Ok(said)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            // Not SIGKILL: it would leave containers behind.
            kill_process(Pid::from_child(child), Signal::TERM).ok();
        }
    }
}

#[test]
fn an_interrupted_demo_leaves_no_service_behind() -> Result<()> {
    let _turn = TURN.blocking_lock();
    let mut demo = Demo::start()?;
    ensure!(demo.services()?.len() == 7, "{:?}", demo.services()?);
    kill_process(Pid::from_child(demo.child.as_ref().context("it has ended")?), Signal::INT)?;
    let said = demo.failed()?;
    ensure!(said.starts_with("demo: ending the services\n") && !said.contains("panicked"), "{said}");
    Ok(())
}

#[test]
fn a_service_that_ends_early_is_an_error_with_its_last_lines() -> Result<()> {
    let _turn = TURN.blocking_lock();
    let mut demo = Demo::start()?;
    let services = demo.services()?;
    let (_, notifier) = services.iter().find(|(name, _)| name == "notifier").context("no notifier")?;
    kill_process(*notifier, Signal::KILL)?;
    let said = demo.failed()?;
    ensure!(said.starts_with("demo: notifier has ended; its log ends with:\n  {"), "{said}");
    Ok(())
}
