//! How a Redis Cluster is started: one script runs its three nodes, in one container or as processes.

use std::{net::ToSocketAddrs as _, process::Command};

use anyhow::{Context as _, Result};
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _, core::IntoContainerPort as _};

use super::{REDIS_CLUSTER, recipe::KEEP};
use crate::{
    Broker,
    broker::Served,
    find_program,
    recipe::{Commands, Place, Recipe},
    shared::Shared,
};

/// A Redis Cluster to test with: three nodes without replicas, which have a third of the slots each. They are stopped, killed and
/// started together; their data outlast it.
pub type RedisCluster = Broker<OfRedisCluster>;

/// Stands for Redis Cluster.
#[derive(Debug)]
pub struct OfRedisCluster;

impl Served for OfRedisCluster {
    const RECIPE: Recipe = Recipe {
        kind: REDIS_CLUSTER,
        // Of each node for clients, and for the other nodes.
        ports: PORTS,
        url: |place| format!("redis://{place}"),
        container,
        once_addressed: Some(start_in_container),
        commands,
        ask: |_connection| Ok(()),
    };

    fn shared() -> &'static Shared<RedisCluster> {
        static SHARED: Shared<RedisCluster> = Shared::new();
        &SHARED
    }
}

const PORTS: u16 = 6;
const SCRIPT: &str = include_str!("cluster.sh");
/// Ours in the container.
const DIRECTORY: &str = "/tmp/traced";

/// Nodes tell clients where the others are, and what the engine's machine is called is known only once the container runs: so it
/// waits for a file that says so. At a later start the file is there.
fn container(image: GenericImage, port: u16) -> ContainerRequest<GenericImage> {
    let wait = format!(
        "until [ -f {DIRECTORY}/announced ]; do sleep 0.1; done
         set -- redis-server {DIRECTORY} 0.0.0.0 \"$(cat {DIRECTORY}/announced)\" {port} \"$@\"
         {SCRIPT}"
    );
    let command = ["-c", &wait, "cluster"].into_iter().chain(KEEP);
    let request = image.with_entrypoint("sh").with_cmd(command);
    (port..port + PORTS).fold(request, |request, port| request.with_mapped_port(port, port.tcp()))
}

fn start_in_container(host: &str, port: u16) -> String {
    // Nodes are announced by address only.
    let resolved = (host, port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let announced = resolved.map_or_else(|| host.to_owned(), |address| address.ip().to_string());
    // Whole or not at all.
    format!("set -e; mkdir -p {DIRECTORY}; echo {announced} >{DIRECTORY}/new; mv {DIRECTORY}/new {DIRECTORY}/announced")
}

fn commands(place: &Place<'_>) -> Result<Commands> {
    find_program(&["redis-cli"], place.environment).context("there is no redis-cli on this machine")?;
    let mut server = Command::new("/bin/sh");
    server
        .args(["-c", SCRIPT, "cluster"])
        .arg(place.program)
        .arg(place.directory)
        .args(["127.0.0.1", "127.0.0.1", &place.port.to_string()])
        .args(KEEP);
    Ok(Commands { helpers: Vec::new(), server })
}
