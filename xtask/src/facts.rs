//! What there is on this machine, as far as the plan depends on it.

use std::{
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use test_brokers::{Engine, Environment, Kind, Way, find_program};

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// An address is given.
    pub(crate) address: bool,
    /// An engine answers and has the image, now if not before; or else why there is no container, in one line.
    pub(crate) container: Result<String, String>,
    /// The server's program.
    pub(crate) server: Option<PathBuf>,
    pub(crate) apt: bool,
    pub(crate) root: bool,
    /// A Python that can make a virtual environment.
    pub(crate) python: bool,
}

impl Facts {
    /// Looks, and pulls the image where a container may be the way. `say` hears about what takes time.
    pub(crate) fn gather(kind: &Kind, forced: Option<Way>, environment: &Environment, say: impl Fn(&str)) -> Self {
        let address = environment.get(kind.url_variable).is_some();
        let container_may_be_the_way = match forced {
            Some(way) => way == Way::Docker,
            None => !address,
        };
        let container = if container_may_be_the_way {
            container(kind, environment, say)
        } else {
            Err("Docker was not asked for".to_owned())
        };
        let server = match environment.get(kind.program_variable) {
            Some(program) => find_program(&[program], environment),
            None => find_program(kind.programs, environment),
        };
        Self {
            address,
            container,
            server,
            apt: find_program(&["apt-get"], environment).is_some(),
            // A process's own directory belongs to its effective user; where there is no /proc, there is no apt-get.
            root: std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0),
            python: python_makes_environments(),
        }
    }
}

fn container(kind: &Kind, environment: &Environment, say: impl Fn(&str)) -> Result<String, String> {
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
