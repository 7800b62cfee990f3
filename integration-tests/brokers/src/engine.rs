//! Is there a Docker engine, and has it an image? It is asked itself: a `docker` client says nothing about an engine, and is
//! not needed. Containers are in `container.rs`.

use std::{path::Path, time::Duration};

use crate::{Environment, http::Socket};

/// An engine that answers does so within milliseconds.
const ANSWER: Duration = Duration::from_secs(5);
/// A pull reports its progress all the time.
const PULL_SILENCE: Duration = Duration::from_secs(60);

/// A Docker engine that answered.
#[derive(Clone, Debug)]
pub struct Engine {
    socket: Socket,
    address: String,
}

impl Engine {
    /// The engine at `DOCKER_HOST`, or at the first of the usual sockets, if it answers; otherwise why not, in one line.
    pub fn find(environment: &Environment) -> Result<Self, String> {
        let address = address(environment, |path| path.exists());
        let engine = Self { socket: socket(&address)?, address };
        match engine.socket.request("GET", "/_ping", ANSWER) {
            Ok(response) if response.status == 200 => Ok(engine),
            Ok(response) => Err(format!("{} answers with status {}", engine.address, response.status)),
            Err(error) => Err(format!("no Docker engine answers at {} ({error})", engine.address)),
        }
    }

    /// The engine's address, as in `DOCKER_HOST`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Is the image there already?
    #[must_use]
    pub fn has_image(&self, image: &str) -> bool {
        self.socket
            .request("GET", &format!("/images/{image}/json"), ANSWER)
            .is_ok_and(|response| response.status == 200)
    }

    /// Pulls the image unless it is there, without credentials; an error says in one line why it cannot be had.
    pub fn provide_image(&self, image: &str) -> Result<(), String> {
        if self.has_image(image) {
            return Ok(());
        }
        let (name, tag) = split_image(image);
        let pull = format!("/images/create?fromImage={name}&tag={tag}");
        let answer = self.socket.request("POST", &pull, PULL_SILENCE);
        if self.has_image(image) {
            return Ok(());
        }
        // An answer may begin well and end in an error: its last line is the reason.
        let why = match answer {
            Ok(response) => response.body.trim().lines().last().unwrap_or("no reason given").to_owned(),
            Err(error) => error.to_string(),
        };
        Err(format!("image {image} is not there and cannot be pulled ({why})"))
    }
}

/// An image's name and its tag, `latest` without one; a registry's port is not a tag.
pub(crate) fn split_image(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// Where testcontainers looks, in its order: ours must not find an engine that it then does not use.
fn address(environment: &Environment, exists: impl Fn(&Path) -> bool) -> String {
    const DEFAULT: &str = "/var/run/docker.sock";
    if let Some(host) = environment.get("DOCKER_HOST") {
        return host.to_owned();
    }
    let below = |variable: &str, path: &str| environment.get(variable).map(|directory| format!("{directory}/{path}"));
    let candidates = [
        Some(DEFAULT.to_owned()),
        below("XDG_RUNTIME_DIR", ".docker/run/docker.sock"),
        below("HOME", ".docker/run/docker.sock"),
        below("HOME", ".docker/desktop/docker.sock"),
    ];
    let found = candidates.into_iter().flatten().find(|path| exists(Path::new(path)));
    format!("unix://{}", found.as_deref().unwrap_or(DEFAULT))
}

fn socket(address: &str) -> Result<Socket, String> {
    match address.split_once("://") {
        Some(("unix", path)) => Ok(Socket::Unix(path.into())),
        Some(("tcp" | "http", host)) => {
            let host = host.trim_end_matches('/');
            let port =
                if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) { "" } else { ":2375" };
            Ok(Socket::Tcp(format!("{host}{port}")))
        }
        _ => Err(format!("a Docker engine at {address} is not supported, only unix:// and tcp://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_comes_before_the_usual_sockets() {
        let home = Environment::default().with("HOME", "/home/me");
        assert_eq!(address(&home.clone().with("DOCKER_HOST", "tcp://there:1"), |_| true), "tcp://there:1");
        assert_eq!(address(&home, |_| true), "unix:///var/run/docker.sock");
        assert_eq!(address(&home, |path| path.starts_with("/home/me")), "unix:///home/me/.docker/run/docker.sock");
        assert_eq!(address(&home, |_| false), "unix:///var/run/docker.sock");
    }

    #[test]
    fn a_tcp_address_without_a_port_has_the_usual_one() {
        assert_eq!(socket("tcp://there"), Ok(Socket::Tcp("there:2375".to_owned())));
        assert_eq!(socket("http://there:80/"), Ok(Socket::Tcp("there:80".to_owned())));
        assert!(socket("ssh://there").is_err());
    }

    #[test]
    fn a_port_of_a_registry_is_no_tag() {
        assert_eq!(split_image("rabbitmq:4"), ("rabbitmq", "4"));
        assert_eq!(split_image("localhost:5000/rabbitmq"), ("localhost:5000/rabbitmq", "latest"));
    }

    #[test]
    fn an_engine_that_is_not_there_is_named_in_one_line() {
        let nowhere = Environment::default().with("DOCKER_HOST", "unix:///nowhere/docker.sock");
        let why = Engine::find(&nowhere).expect_err("there is none");
        assert!(
            why.starts_with("no Docker engine answers at unix:///nowhere/docker.sock") && !why.contains('\n'),
            "{why}"
        );
    }
}
