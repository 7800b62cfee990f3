//! What a broker's folder tells the rest: how to make a container of its image, and which commands start it without one.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use testcontainers::{ContainerRequest, GenericImage};

use crate::{Environment, Kind};

/// How a kind of broker is started.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub(crate) kind: Kind,
    /// How many ports in a row it takes: what follows is told the first one, which clients connect to.
    pub(crate) ports: u16,
    /// The URL of what is started at `host:port`.
    pub(crate) url: fn(&str) -> String,
    /// Completes the container; the second argument is the port on the host, known before the start and the same after a restart.
    pub(crate) container: fn(GenericImage, u16) -> ContainerRequest<GenericImage>,
    /// A script for a shell in the container, run once it is known under which host and port clients reach it; not at a later
    /// start, when all that it left is still there.
    pub(crate) once_addressed: Option<fn(&str, u16) -> String>,
    /// Writes what it needs into the directory and returns the commands.
    pub(crate) commands: fn(&Place<'_>) -> Result<Commands>,
    /// Finds out on a connection whether a server of this kind answers.
    pub(crate) ask: fn(TcpStream) -> Result<()>,
}

/// Where a server without a container lives.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) program: &'a Path,
    /// Empty, its own, and removed afterwards.
    pub(crate) directory: &'a Path,
    /// On loopback, the first of [`Recipe::ports`].
    pub(crate) port: u16,
    pub(crate) environment: &'a Environment,
}

/// The commands of a server; none of them may go to the background.
#[derive(Debug)]
pub(crate) struct Commands {
    /// Run from before the server's first start until after its end.
    pub(crate) helpers: Vec<Command>,
    pub(crate) server: Command,
}

impl Place<'_> {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
