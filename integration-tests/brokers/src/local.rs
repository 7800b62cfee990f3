//! A server without a container: a process of the machine's own program, its helpers, and the directory that they live in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    Environment,
    process::Process,
    ready,
    recipe::{Commands, Place, Recipe},
};

const TERMINATION: Duration = Duration::from_secs(30);

/// The order of the fields is the order of the end: the server, what it needs, where it lived.
#[derive(Debug)]
pub(crate) struct Local {
    process: Option<Process>,
    _helpers: Vec<Process>,
    command: Command,
    log: PathBuf,
    ready: &'static str,
    directory: TempDir,
}

impl Local {
    pub(crate) fn start(recipe: &Recipe, program: &Path, port: u16, environment: &Environment) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("test-brokers-").tempdir()?;
        let place = Place { program, directory: directory.path(), port, environment };
        let Commands { mut helpers, server } = (recipe.commands)(&place)?;
        let log = place.path("server.log");
        let helpers =
            helpers.iter_mut().map(|command| Process::start(command, directory.path(), &log)).collect::<Result<_>>()?;
        let mut local =
            Self { process: None, _helpers: helpers, command: server, log, ready: recipe.kind.ready, directory };
        local.start_again()?;
        Ok(local)
    }

    /// Starts the server with the data that it left.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("it runs already");
        }
        let seen = fs::read(&self.log).map_or(0, |log| log.len());
        let mut process = Process::start(&mut self.command, self.directory.path(), &self.log)?;
        ready::wait_for_line(self.ready, ready::LIMIT, || read_from(&self.log, seen), || process.is_alive())?;
        self.process = Some(process);
        Ok(())
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.terminate(TERMINATION).map(drop))
    }

    pub(crate) fn kill(&mut self) {
        drop(self.process.take());
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }
}

/// The log is small: RabbitMQ writes some 10 kB per start.
fn read_from(file: &Path, offset: usize) -> Result<String> {
    let log = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(log.get(offset..).map(String::from_utf8_lossy).unwrap_or_default().into_owned())
}
