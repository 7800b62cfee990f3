//! How a RabbitMQ is started: its container, its commands, its URL.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::RABBITMQ;
use crate::{
    Broker,
    broker::Served,
    find_program,
    port::free_port,
    recipe::{Commands, Place, Recipe},
    shared::Shared,
};

/// A user of our own: `guest` may log in from loopback only, and through a container's port nobody comes from loopback.
const USER: &str = "traced";
const PASSWORD: &str = "traced";

/// A RabbitMQ to test with. Its durable queues and persistent messages outlast [`Broker::stop`].
pub type RabbitMq = Broker<OfRabbitMq>;

/// Stands for RabbitMQ.
#[derive(Debug)]
pub struct OfRabbitMq;

impl Served for OfRabbitMq {
    const RECIPE: Recipe = Recipe {
        kind: RABBITMQ,
        ports: 1,
        url: |place| format!("amqp://{USER}:{PASSWORD}@{place}/%2f"),
        container,
        once_addressed: None,
        commands,
        // A connection is enough, also where an address wants TLS: the server's log has said the rest.
        ask: |_connection| Ok(()),
    };

    fn shared() -> &'static Shared<RabbitMq> {
        static SHARED: Shared<RabbitMq> = Shared::new();
        &SHARED
    }
}

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
