//! A RabbitMQ server for tests: its container, its commands, its URL.

use std::{fs, process::Command, sync::Arc};

use anyhow::{Context as _, Result};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::RABBITMQ;
use crate::{
    Environment, find_program,
    port::free_port,
    recipe::{Commands, Place, Recipe},
    server::{Address, Server},
    shared::Shared,
};

/// A user of our own: `guest` may log in from loopback only, and through a container's port nobody comes from loopback.
const USER: &str = "traced";
const PASSWORD: &str = "traced";

/// A RabbitMQ to test with. The last handle to be dropped ends it and removes its data, also when a test panics.
///
/// One that was found by its address stays as it is, and cannot be stopped from here.
#[derive(Debug)]
pub struct RabbitMq {
    server: Server,
    url: String,
}

impl RabbitMq {
    /// The one that the tests of this process share, started if none of them has it now.
    ///
    /// Its last user ends it: hold it as long as you need it, and name queues and exchanges uniquely.
    ///
    /// ```no_run
    /// # async fn run() -> anyhow::Result<()> {
    /// let (mine, yours) = (test_brokers::RabbitMq::shared().await?, test_brokers::RabbitMq::shared().await?);
    /// assert_eq!(mine.url(), yours.url());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: Shared<RabbitMq> = Shared::new();
        SHARED.get_or_start(Self::start()).await
    }

    /// One of your own, for what others would notice: a restart, a policy, an alarm. An address in the environment is not
    /// one's own, and is what you get all the same.
    pub async fn start() -> Result<Self> {
        Self::start_in(Environment::of_process()).await
    }

    /// [`RabbitMq::start`] as if these were the environment variables.
    pub async fn start_in(environment: Environment) -> Result<Self> {
        let server = Server::start(RECIPE, environment).await?;
        let url = match server.address() {
            Address::Url(url) => url.clone(),
            Address::Port { host, port } => format!("amqp://{USER}:{PASSWORD}@{host}:{port}/%2f"),
        };
        Ok(Self { server, url })
    }

    /// Where clients connect to, the same after a restart: `amqp://user:password@host:port/%2f`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it is, in one line without a password, for reports.
    #[must_use]
    pub fn describe(&self) -> &str {
        self.server.description()
    }

    /// Ends it in good order; clients are refused until [`RabbitMq::start_again`]. Durable queues and persistent messages stay.
    pub async fn stop(&self) -> Result<()> {
        self.server.stop().await
    }

    /// Ends it with SIGKILL, as a crash would.
    pub async fn kill(&self) -> Result<()> {
        self.server.kill().await
    }

    /// Starts it on the same address with the data that it left, and waits until it takes connections.
    pub async fn start_again(&self) -> Result<()> {
        self.server.start_again().await
    }

    /// [`RabbitMq::stop`] and [`RabbitMq::start_again`].
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start_again().await
    }
}

const RECIPE: Recipe = Recipe {
    kind: RABBITMQ,
    container,
    once_addressed: None,
    commands,
    // A connection is enough, also where an address wants TLS: the server's log has said the rest.
    ask: |_connection| Ok(()),
};

fn container(image: GenericImage, port: u16) -> ContainerRequest<GenericImage> {
    // A port that the engine chooses would be another one after a restart.
    image
        .with_mapped_port(port, RABBITMQ.port.tcp())
        .with_env_var("RABBITMQ_DEFAULT_USER", USER)
        .with_env_var("RABBITMQ_DEFAULT_PASS", PASSWORD)
}

fn commands(place: &Place<'_>) -> Result<Commands> {
    let (epmd_port, distribution_port) = (free_port()?, free_port()?);
    let configuration =
        format!("listeners.tcp.default = 127.0.0.1:{}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n", place.port);
    fs::write(place.path("rabbitmq.conf"), configuration)?;
    fs::write(place.path("plugins"), "[].\n")?;

    // Erlang's name server. The broker would start one that goes on after the broker's end.
    let epmd = find_program(&["epmd", "/usr/lib/erlang/bin/epmd", "/usr/local/lib/erlang/bin/epmd"], place.environment)
        .context("there is no epmd on this machine: it comes with Erlang")?;
    let mut epmd = Command::new(epmd);
    epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);

    let mut server = Command::new(place.program);
    // Another broker's settings are not for this one.
    for (name, _) in std::env::vars_os() {
        if ["RABBITMQ_", "ERL_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            server.env_remove(name);
        }
    }
    server
        // For the Erlang cookie: everyone has his own, and a user without a home directory can run it.
        .env("HOME", place.directory)
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("RABBITMQ_NODENAME", format!("test{}@localhost", place.port))
        .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_LOG_BASE", place.path("log"))
        .env("RABBITMQ_MNESIA_BASE", place.path("data"))
        .env("RABBITMQ_CONFIG_FILE", place.path("rabbitmq"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", place.path("advanced"))
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", place.path("plugins"))
        // Makes the process the broker itself: otherwise it is a shell, and a broker survives the shell's SIGKILL.
        .env("RUNNING_UNDER_SYSTEMD", "1")
        // With it Erlang would look for a notification socket that is not ours.
        .env_remove("NOTIFY_SOCKET");
    Ok(Commands { helpers: vec![epmd], server })
}
