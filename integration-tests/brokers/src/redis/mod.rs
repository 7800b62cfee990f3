//! Redis: the facts here, how one server is started in `recipe.rs`, how a cluster in `cluster.rs`.

use crate::{Kind, Program, place::place_of_url};

#[cfg(feature = "servers")]
mod cluster;
#[cfg(feature = "servers")]
mod recipe;
#[cfg(feature = "servers")]
pub use cluster::RedisCluster;
#[cfg(feature = "servers")]
pub use recipe::Redis;

/// Redis, as one server.
pub const REDIS: Kind = Kind {
    name: "Redis",
    url_variable: "TRACED_REDIS_URL",
    url_form: "redis[s]://user:password@host:port/database",
    places: |url| Some(vec![place_of_url(url, &[("redis", PORT), ("rediss", PORT)])?]),
    image_variable: "TRACED_REDIS_IMAGE",
    image: "redis:8.10.2",
    programs: &[Program {
        variable: Some("TRACED_REDIS_SERVER"),
        paths: &["redis-server"],
        packages: &["redis-server"],
        instead: Some("set TRACED_REDIS_SERVER to the server's program"),
        spared: None,
    }],
    units: &["redis-server.service"],
    prepare: None,
    port: PORT,
    ready: "Ready to accept connections",
};

/// Redis Cluster, as three servers on one machine: the URL is that of one of them, which knows the others.
pub const REDIS_CLUSTER: Kind =
    Kind { name: "Redis Cluster", url_variable: "TRACED_REDIS_CLUSTER_URL", ready: "The cluster is ready", ..REDIS };

const PORT: u16 = 6379;
