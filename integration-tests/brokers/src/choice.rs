//! Where a broker comes from: the order of the ways, decided before anything is started.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{Engine, Environment, Kind};

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
    let wanted = |way| forced.is_none_or(|forced| forced == way);
    let mut why = Vec::new();
    let mut note = None;
    if let Some(forced) = forced {
        why.push(format!("{WAY_VARIABLE}={forced}"));
    }
    if wanted(Way::Address) {
        if let Some(url) = kind.address(environment)? {
            return Ok(Choice::Address(url.to_owned()));
        }
        if forced.is_some() {
            why.push(format!("{} is not set", kind.url_variable));
        }
    }
    if wanted(Way::Docker) {
        match container(kind, environment) {
            Ok(image) => return Ok(Choice::Docker { image }),
            Err(no_container) => {
                note = Some(no_container.clone());
                why.push(no_container);
            }
        }
    }
    if wanted(Way::Local) {
        match kind.find_server(environment) {
            Ok(program) => return Ok(Choice::Local { program, note }),
            Err(missing) => why.push(missing.why),
        }
    }
    Err(format!("no {} to be had: {}; {}", kind.name, why.join(", and "), remedies(kind)))
}

fn container(kind: &Kind, environment: &Environment) -> Result<String, String> {
    let image = environment.get(kind.image_variable).unwrap_or(kind.image);
    Engine::find(environment)?.provide_image(image)?;
    Ok(image.to_owned())
}

fn remedies(kind: &Kind) -> String {
    let packages = kind.programs.iter().flat_map(|program| program.packages).copied().collect::<Vec<_>>().join(" ");
    let mut remedies = vec![
        "start Docker".to_owned(),
        format!("install {packages} (`cargo xtask test` does so on Debian and Ubuntu)"),
    ];
    remedies.extend(kind.programs.iter().filter_map(|program| program.instead).map(str::to_owned));
    remedies.push(format!("set {} to a broker's address", kind.url_variable));
    remedies.join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KAFKA, Program, RABBITMQ};

    const SERVER: Program = Program {
        variable: Some("TRACED_RABBITMQ_SERVER"),
        paths: &["/nowhere/server"],
        packages: &["rabbitmq-server"],
        instead: None,
        spared: None,
    };
    /// Nothing in it: no engine, no address, no server.
    const NOWHERE: Kind = Kind { programs: &[SERVER], ..RABBITMQ };

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
        let kind = Kind { programs: &[Program { paths: &["/nowhere/server", "/bin/sh"], ..SERVER }], ..RABBITMQ };
        let choice = choose(&kind, &nowhere()).expect("a program");
        assert!(matches!(choice, Choice::Local { program, .. } if program.ends_with("bin/sh")));
        let named = nowhere().with("TRACED_RABBITMQ_SERVER", "/bin/sh");
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
    fn kafka_needs_java_and_maven_or_its_jars() {
        let why = choose(&KAFKA, &nowhere().with("XDG_CACHE_HOME", "/nowhere")).expect_err("there is nothing");
        assert!(why.starts_with("no Kafka to be had: ") && !why.contains('\n'), "{why}");
        assert!(why.contains("there is no default-jre-headless maven on this machine"), "{why}");
        assert!(why.contains("or set TRACED_KAFKA_HOME to the directory of a Kafka, or set TRACED_KAFKA_URL"), "{why}");
    }

    #[test]
    fn a_malformed_address_is_an_error_without_its_password() {
        for (kind, url, form) in [
            (&RABBITMQ, "amqp://me:secret@there:port", "amqp://user:password@host:port/vhost"),
            (&KAFKA, "there:9092,secret", "host:port[,host:port]"),
        ] {
            let why = choose(kind, &nowhere().with(kind.url_variable, url)).expect_err("malformed");
            assert_eq!(why, format!("{} is malformed: it takes {form}", kind.url_variable));
        }
    }

    #[test]
    fn an_unknown_way_is_an_error_that_names_the_known_ones() {
        let why = choose(&NOWHERE, &nowhere().with("TRACED_BROKERS", "podman")).expect_err("no such way");
        assert_eq!(why, "TRACED_BROKERS is \"podman\": it takes address, docker or local");
    }
}
