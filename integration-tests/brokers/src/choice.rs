//! Where a broker comes from: the order of the ways, decided before anything is started.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{Engine, Environment, Kind, find_program};

/// The environment variable that leaves one [`Way`] only.
pub(crate) const WAY_VARIABLE: &str = "TRACED_BROKERS";

/// A way to have a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One that runs already, by its address.
    Address,
    /// A container.
    Docker,
    /// A process of the server's own program.
    Local,
}

impl Way {
    /// The environment variable that leaves one way only, with a way's name as its value.
    pub const VARIABLE: &'static str = WAY_VARIABLE;

    /// The way that the environment leaves, if it names one.
    pub fn forced(environment: &Environment) -> Result<Option<Self>, String> {
        environment.get(WAY_VARIABLE).map(str::parse).transpose()
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "address" => Ok(Self::Address),
            "docker" => Ok(Self::Docker),
            "local" => Ok(Self::Local),
            other => Err(format!("{WAY_VARIABLE} is {other:?}: it takes address, docker or local")),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::Docker => "docker",
            Self::Local => "local",
        })
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Choice {
    /// A broker's address.
    Address(String),
    /// An image that the engine has.
    Docker {
        /// Its name and tag.
        image: String,
    },
    /// The server's program.
    Local {
        /// Its path.
        program: PathBuf,
        /// Why it is not a container, where one would have come first.
        note: Option<String>,
    },
}

/// The first way to have a broker of this kind that this machine offers, or one line that says what to do. Pulls the image.
pub fn choose(kind: &Kind, environment: &Environment) -> Result<Choice, String> {
    let forced = Way::forced(environment)?;
    let missing = |why: &str| {
        let Kind { name, url_variable, program_variable, packages, .. } = kind;
        format!(
            "no {name} to be had: {why}; start Docker, or install {} (`cargo xtask test` does so on Debian and Ubuntu), \
             or set {program_variable} to the server's program or {url_variable} to a broker's address",
            packages.join(" ")
        )
    };
    match forced {
        None => {
            if let Some(url) = environment.get(kind.url_variable) {
                return Ok(Choice::Address(url.to_owned()));
            }
            let why_no_container = match container(kind, environment) {
                Ok(image) => return Ok(Choice::Docker { image }),
                Err(why) => why,
            };
            match local(kind, environment) {
                Ok(program) => Ok(Choice::Local { program, note: Some(why_no_container) }),
                Err(why) => Err(missing(&format!("{why_no_container}, and {why}"))),
            }
        }
        Some(Way::Address) => match environment.get(kind.url_variable) {
            Some(url) => Ok(Choice::Address(url.to_owned())),
            None => Err(missing(&format!("{WAY_VARIABLE}=address, and {} is not set", kind.url_variable))),
        },
        Some(Way::Docker) => match container(kind, environment) {
            Ok(image) => Ok(Choice::Docker { image }),
            Err(why) => Err(missing(&format!("{WAY_VARIABLE}=docker, and {why}"))),
        },
        Some(Way::Local) => match local(kind, environment) {
            Ok(program) => Ok(Choice::Local { program, note: None }),
            Err(why) => Err(missing(&format!("{WAY_VARIABLE}=local, and {why}"))),
        },
    }
}

fn container(kind: &Kind, environment: &Environment) -> Result<String, String> {
    let image = environment.get(kind.image_variable).unwrap_or(kind.image);
    Engine::find(environment)?.provide_image(image)?;
    Ok(image.to_owned())
}

fn local(kind: &Kind, environment: &Environment) -> Result<PathBuf, String> {
    if let Some(program) = environment.get(kind.program_variable) {
        return find_program(&[program], environment)
            .ok_or_else(|| format!("{}={program} is no program", kind.program_variable));
    }
    find_program(kind.programs, environment)
        .ok_or_else(|| format!("there is no {} on this machine", kind.packages.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RABBITMQ;

    /// Nothing in it: no engine, no address, no server.
    const NOWHERE: Kind = Kind { programs: &["/nowhere/server"], ..RABBITMQ };

    fn nowhere() -> Environment {
        Environment::default().with("DOCKER_HOST", "unix:///nowhere/docker.sock").with("PATH", "")
    }

    #[test]
    fn an_address_comes_first() {
        let environment = nowhere().with("TRACED_RABBITMQ_URL", "amqp://there");
        assert!(matches!(choose(&NOWHERE, &environment), Ok(Choice::Address(url)) if url == "amqp://there"));
    }

    #[test]
    fn without_an_engine_the_server_on_the_machine_is_taken() {
        let kind = Kind { programs: &["/nowhere/server", "/bin/sh"], ..RABBITMQ };
        let choice = choose(&kind, &nowhere()).expect("a program");
        assert!(matches!(choice, Choice::Local { program, .. } if program.ends_with("bin/sh")));
        let named = nowhere().with(RABBITMQ.program_variable, "/bin/sh");
        assert!(matches!(choose(&NOWHERE, &named), Ok(Choice::Local { .. })));
    }

    #[test]
    fn a_forced_way_leaves_the_others_out() {
        let address = nowhere().with("TRACED_RABBITMQ_URL", "amqp://there");
        assert!(choose(&NOWHERE, &address.clone().with("TRACED_BROKERS", "docker")).is_err());
        assert!(choose(&NOWHERE, &address.clone().with("TRACED_BROKERS", "local")).is_err());
        assert!(choose(&NOWHERE, &address.with("TRACED_BROKERS", "address")).is_ok());
        assert!(choose(&NOWHERE, &nowhere().with("TRACED_BROKERS", "address")).is_err());
    }

    #[test]
    fn with_nothing_at_hand_one_line_says_what_to_do() {
        for way in ["", "address", "docker", "local"] {
            let why = choose(&NOWHERE, &nowhere().with("TRACED_BROKERS", way)).expect_err("there is nothing");
            assert!(why.starts_with("no RabbitMQ to be had: ") && !why.contains('\n'), "{why}");
            assert!(why.contains("start Docker, or install rabbitmq-server"), "{why}");
        }
    }

    #[test]
    fn an_unknown_way_is_an_error_that_names_the_known_ones() {
        let why = choose(&NOWHERE, &nowhere().with("TRACED_BROKERS", "podman")).expect_err("no such way");
        assert_eq!(why, "TRACED_BROKERS is \"podman\": it takes address, docker or local");
    }
}
