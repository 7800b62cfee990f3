//! A server in a container, by testcontainers.
//!
//! Everything is done on one runtime of its own: a container that tests share outlives the runtime of the test that started it,
//! and a connection to the engine must not end with that runtime.

use std::{
    future::Future,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use testcontainers::{
    ContainerAsync, GenericImage,
    bollard::query_parameters::KillContainerOptions,
    core::{CmdWaitFor, ExecCommand, client::docker_client_instance},
    runners::AsyncRunner as _,
};
use tokio::runtime::{Builder, Runtime};

use crate::{engine::split_image, ready, recipe::Recipe};

const TERMINATION_SECONDS: i32 = 30;
const KILLED: Duration = Duration::from_secs(10);

/// A container; removed when dropped, and by testcontainers' watchdog on SIGINT, SIGTERM and SIGQUIT.
#[derive(Debug)]
pub(crate) struct Container {
    // Only `drop` takes it.
    inner: Option<ContainerAsync<GenericImage>>,
    ready: &'static str,
}

impl Container {
    pub(crate) fn start(recipe: &Recipe, image: &str, port: u16) -> Result<Self> {
        let (name, tag) = split_image(image);
        let request = (recipe.container)(GenericImage::new(name, tag), port);
        let container = Self { inner: Some(block_on(request.start())??), ready: recipe.kind.ready };
        if let Some(script) = recipe.once_addressed {
            container.run(&script(&container.host()?, port))?;
        }
        container.wait_until_ready(0)?;
        Ok(container)
    }

    pub(crate) fn stop(&self) -> Result<()> {
        Ok(block_on(self.inner()?.stop_with_timeout(Some(TERMINATION_SECONDS)))??)
    }

    /// SIGKILL for the server, which is the container's first process; returns once it is gone.
    pub(crate) fn kill(&self) -> Result<()> {
        let id = self.inner()?.id().to_owned();
        block_on(async {
            let options = KillContainerOptions { signal: "KILL".to_owned() };
            docker_client_instance().await?.kill_container(&id, Some(options)).await?;
            anyhow::Ok(())
        })??;
        let start = Instant::now();
        while self.is_alive()? {
            if start.elapsed() > KILLED {
                bail!("the container still runs {} s after SIGKILL", KILLED.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(crate) fn start_again(&self) -> Result<()> {
        let seen = self.log()?.len();
        block_on(self.inner()?.start())??;
        self.wait_until_ready(seen)
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.inner.as_ref().map(|container| container.id())
    }

    /// The engine's machine, as clients reach it.
    pub(crate) fn host(&self) -> Result<String> {
        let host = block_on(self.inner()?.get_host())??.to_string();
        // Not by name: that can be ::1 first, where an engine need not listen.
        Ok(if host == "localhost" { "127.0.0.1".to_owned() } else { host })
    }

    /// Runs a shell's script in it.
    fn run(&self, script: &str) -> Result<()> {
        let ended = CmdWaitFor::exit_code(0);
        let command = ExecCommand::new(["sh", "-c", script]).with_cmd_ready_condition(ended);
        block_on(self.inner()?.exec(command))??;
        Ok(())
    }

    fn wait_until_ready(&self, seen: usize) -> Result<()> {
        let new =
            || Ok(self.log()?.get(seen..).map(|log| String::from_utf8_lossy(log).into_owned()).unwrap_or_default());
        ready::wait_for_line(self.ready, ready::LIMIT, new, || self.is_alive())
    }

    fn is_alive(&self) -> Result<bool> {
        Ok(block_on(self.inner()?.is_running())??)
    }

    fn log(&self) -> Result<Vec<u8>> {
        let container = self.inner()?;
        block_on(async {
            let mut log = container.stdout_to_vec().await?;
            log.extend(container.stderr_to_vec().await?);
            Ok(log)
        })?
    }

    fn inner(&self) -> Result<&ContainerAsync<GenericImage>> {
        self.inner.as_ref().context("the container is removed")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let container = self.inner.take();
        // A thread that is in no runtime: to block is an error in one, and the last user of a broker mostly is in one.
        let removal = thread::spawn(move || block_on(async move { drop(container) }));
        let _ = removal.join();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build());
    match runtime {
        Ok(runtime) => Ok(runtime.block_on(future)),
        Err(error) => Err(anyhow!("cannot start a runtime: {error}")),
    }
}
