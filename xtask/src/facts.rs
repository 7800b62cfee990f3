//! What there is on this machine, as far as the plan depends on it.

use std::{
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use test_brokers::{Engine, Environment, Kind, Missing, Say, Way, find_program};

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// In the order of the task's kinds.
    pub(crate) brokers: Vec<BrokerFacts>,
    pub(crate) apt: bool,
    pub(crate) root: bool,
    /// A Python that can make a virtual environment.
    pub(crate) python: bool,
    /// The packages of what librdkafka is built with and is not there; whoever has Rust has a C compiler already.
    pub(crate) build: Vec<&'static str>,
}

/// Programs of which one will do, and the package in Debian and Ubuntu.
const BUILD: [(&[&str], &str); 2] = [(&["make"], "make"), (&["c++", "g++"], "g++")];

/// What was found for one kind of broker.
#[derive(Clone, Debug)]
pub(crate) struct BrokerFacts {
    pub(crate) kind: &'static Kind,
    /// An address is given; or else what is wrong with it, in one line.
    pub(crate) address: Result<bool, String>,
    /// An engine answers and has the image, now if not before; or else why there is no container, in one line.
    pub(crate) container: Result<String, String>,
    /// The server's program.
    pub(crate) server: Result<PathBuf, Missing>,
}

impl Facts {
    /// Looks, and pulls the images where a container may be the way. `say` hears about what takes time.
    pub(crate) fn gather(
        kinds: &[&'static Kind],
        forced: Option<Way>,
        environment: &Environment,
        say: Say<'_>,
    ) -> Self {
        Self {
            brokers: kinds.iter().map(|kind| BrokerFacts::gather(kind, forced, environment, say)).collect(),
            apt: find_program(&["apt-get"], environment).is_some(),
            // A process's own directory belongs to its effective user; where there is no /proc, there is no apt-get.
            root: std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0),
            python: python_makes_environments(),
            build: missing_to_build(environment),
        }
    }
}

fn missing_to_build(environment: &Environment) -> Vec<&'static str> {
    let missing = BUILD.iter().filter(|(programs, _)| find_program(programs, environment).is_none());
    missing.map(|(_, package)| *package).collect()
}

impl BrokerFacts {
    fn gather(kind: &'static Kind, forced: Option<Way>, environment: &Environment, say: Say<'_>) -> Self {
        let address = kind.address(environment).map(|address| address.is_some());
        let container_may_be_the_way = match forced {
            Some(way) => way == Way::Docker,
            None => address == Ok(false),
        };
        let container = if container_may_be_the_way {
            container(kind, environment, say)
        } else {
            Err("Docker was not asked for".to_owned())
        };
        Self { kind, address, container, server: kind.find_server(environment) }
    }
}

fn container(kind: &Kind, environment: &Environment, say: Say<'_>) -> Result<String, String> {
    let image = environment.get(kind.image_variable).unwrap_or(kind.image);
    let engine = Engine::find(environment)?;
    if !engine.has_image(image) {
        say(&format!("the Docker engine at {} answers; pulling {image}", engine.address()));
        engine.provide_image(image)?;
    }
    Ok(format!("a container of image {image}, on the Docker engine at {}", engine.address()))
}

/// Debian's python3 comes without ensurepip, which `python3 -m venv` cannot do without.
pub(crate) fn python_makes_environments() -> bool {
    Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
