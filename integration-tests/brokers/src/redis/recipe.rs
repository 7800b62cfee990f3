//! How a Redis is started: its container, its command, its URL.

use std::process::Command;

use anyhow::Result;
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::REDIS;
use crate::{
    Broker,
    broker::Served,
    recipe::{Commands, Place, Recipe},
    shared::Shared,
};

/// A Redis to test with: one server, without a password.
///
/// Its data outlast [`Broker::stop`] and [`Broker::kill`], streams and their groups among them; what is published to a channel is
/// never kept.
pub type Redis = Broker<OfRedis>;

/// Stands for Redis.
#[derive(Debug)]
pub struct OfRedis;

impl Served for OfRedis {
    const RECIPE: Recipe = Recipe {
        kind: REDIS,
        ports: 1,
        url: |place| format!("redis://{place}"),
        container,
        once_addressed: None,
        commands,
        // A connection is enough, also where an address wants TLS: the server's log has said the rest.
        ask: |_connection| Ok(()),
    };

    fn shared() -> &'static Shared<Redis> {
        static SHARED: Shared<Redis> = Shared::new();
        &SHARED
    }
}

/// Every command is written to a file before its answer goes out, and no snapshots are made. The file is not synchronised: it is
/// to outlast the process, not the machine.
pub(super) const KEEP: [&str; 6] = ["--appendonly", "yes", "--appendfsync", "no", "--save", ""];

fn container(image: GenericImage, port: u16) -> ContainerRequest<GenericImage> {
    // A port that the engine chooses would be another one after a restart.
    image.with_cmd(["redis-server"].into_iter().chain(KEEP)).with_mapped_port(port, REDIS.port.tcp())
}

fn commands(place: &Place<'_>) -> Result<Commands> {
    let mut server = Command::new(place.program);
    server.args(["--bind", "127.0.0.1", "--port", &place.port.to_string()]).args(KEEP);
    Ok(Commands { helpers: Vec::new(), server })
}
