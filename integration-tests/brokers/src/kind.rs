//! What has to be known about a kind of broker before one is started. How it is started is in the broker's own folder.

use std::path::PathBuf;

use crate::{Environment, find_program};

/// The facts about one kind of broker: plain data, so that a test can change one of them.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in messages.
    pub name: &'static str,
    /// The environment variable with the address of a broker that is there already.
    pub url_variable: &'static str,
    /// What such an address looks like.
    pub url_form: &'static str,
    /// The `host:port`s in an address; `None` where it is malformed.
    pub places: fn(&str) -> Option<Vec<String>>,
    /// The environment variable that replaces [`Kind::image`].
    pub image_variable: &'static str,
    /// The official image, pinned.
    pub image: &'static str,
    /// What a process of this machine needs; the first one starts the server.
    pub programs: &'static [Program],
    /// The systemd units that come with the packages and what they depend on.
    pub units: &'static [&'static str],
    /// What a process of this machine needs besides programs is fetched by this; the second argument hears what is done.
    pub prepare: Option<Prepare>,
    /// The port that its clients connect to where nothing else is said.
    pub port: u16,
    /// Stands in a line of the server's log once it takes connections.
    pub ready: &'static str,
}

/// Hears a line about what takes time.
pub type Say<'a> = &'a dyn Fn(&str);

/// Fetches what a server's process needs; an error is one line.
pub type Prepare = fn(&Environment, Say<'_>) -> Result<(), String>;

/// Whether an environment does without a program; an error says in one line what is wrong with the environment.
pub type Spared = fn(&Environment) -> Result<bool, String>;

/// A program that a server's process needs.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The environment variable with its path, where it is at none of [`Program::paths`].
    pub variable: Option<&'static str>,
    /// Where it may be: absolute paths, and names to look up on `PATH`; the first one counts.
    pub paths: &'static [&'static str],
    /// The Debian and Ubuntu packages with it.
    pub packages: &'static [&'static str],
    /// What can be done instead of installing it.
    pub instead: Option<&'static str>,
    /// Where an environment may do without it.
    pub spared: Option<Spared>,
}

/// Why a server cannot run as a process of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// In one line.
    pub why: String,
    /// The packages that would change it; none where they would not.
    pub packages: Vec<&'static str>,
    /// What else would.
    pub instead: Vec<&'static str>,
}

impl Kind {
    /// The address in the environment, if there is one; an error says in one line that it is malformed.
    pub fn address<'a>(&self, environment: &'a Environment) -> Result<Option<&'a str>, String> {
        match environment.get(self.url_variable) {
            // Not its value: it may have a password.
            Some(url) if (self.places)(url).is_none() => {
                Err(format!("{} is malformed: it takes {}", self.url_variable, self.url_form))
            }
            address => Ok(address),
        }
    }

    /// The path of the program that starts the server, if all that it needs is on this machine.
    pub fn find_server(&self, environment: &Environment) -> Result<PathBuf, Missing> {
        let mut server = None;
        let mut missing = Missing::default();
        for program in self.programs {
            match program.find(environment) {
                Ok(Found::At(path)) => server = server.or(Some(path)),
                Ok(Found::Spared) => {}
                Ok(Found::Nowhere) => {
                    missing.packages.extend(program.packages);
                    missing.instead.extend(program.instead);
                }
                Err(why) => return Err(Missing { why, ..Missing::default() }),
            }
        }
        match server {
            Some(server) if missing.packages.is_empty() => Ok(server),
            _ => {
                missing.why = format!("there is no {} on this machine", missing.packages.join(" "));
                Err(missing)
            }
        }
    }
}

enum Found {
    At(PathBuf),
    Spared,
    Nowhere,
}

impl Program {
    fn find(&self, environment: &Environment) -> Result<Found, String> {
        if self.spared.map_or(Ok(false), |spared| spared(environment))? {
            return Ok(Found::Spared);
        }
        let named = self.variable.and_then(|variable| Some((variable, environment.get(variable)?)));
        match named {
            Some((variable, path)) => find_program(&[path], environment)
                .map(Found::At)
                .ok_or_else(|| format!("{variable}={path} is no program")),
            None => Ok(find_program(self.paths, environment).map_or(Found::Nowhere, Found::At)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RABBITMQ;

    const SERVER: Program =
        Program { variable: Some("SERVER"), paths: &["/bin/sh"], packages: &["server"], instead: None, spared: None };
    const TOOL: Program = Program { variable: None, paths: &["/nowhere/tool"], packages: &["tool"], ..SERVER };

    fn find(programs: &'static [Program], environment: &Environment) -> Result<PathBuf, Missing> {
        Kind { programs, ..RABBITMQ }.find_server(environment)
    }

    #[test]
    fn a_server_needs_all_its_programs_and_what_is_missing_is_named_together() {
        let environment = Environment::default();
        assert_eq!(find(&[SERVER], &environment), Ok("/bin/sh".into()));
        let missing = find(&[SERVER, TOOL], &environment).expect_err("there is no tool");
        assert_eq!((missing.why.as_str(), missing.packages), ("there is no tool on this machine", vec!["tool"]));
        let missing = find(&[TOOL, Program { paths: &[], ..SERVER }], &environment).expect_err("there is nothing");
        assert_eq!(missing.packages, ["tool", "server"]);
    }

    #[test]
    fn what_the_environment_spares_is_not_looked_for_and_its_faults_are_no_packages() {
        const SPARED: Program = Program { spared: Some(|_| Ok(true)), ..TOOL };
        const FAULTY: Program = Program { spared: Some(|_| Err("it is wrong".to_owned())), ..TOOL };
        let environment = Environment::default();
        assert_eq!(find(&[SERVER, SPARED], &environment), Ok("/bin/sh".into()));
        for (programs, environment, why) in [
            (&[SERVER, FAULTY] as &[_], environment.clone(), "it is wrong"),
            (&[SERVER], environment.with("SERVER", "/nowhere"), "SERVER=/nowhere is no program"),
        ] {
            let missing = find(programs, &environment).expect_err("a fault");
            assert_eq!(missing, Missing { why: why.to_owned(), ..Missing::default() });
        }
    }
}
