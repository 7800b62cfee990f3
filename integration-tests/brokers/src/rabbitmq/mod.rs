//! RabbitMQ: the facts here, the server in `server.rs`.

use crate::Kind;

#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
pub use server::RabbitMq;

/// RabbitMQ, with AMQP 0-9-1.
pub const RABBITMQ: Kind = Kind {
    name: "RabbitMQ",
    url_variable: "TRACED_RABBITMQ_URL",
    image_variable: "TRACED_RABBITMQ_IMAGE",
    image: "rabbitmq:4.1.4",
    program_variable: "TRACED_RABBITMQ_SERVER",
    // Debian's program on PATH is a wrapper that insists on the user rabbitmq: the real one comes first.
    programs: &["/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"],
    packages: &["rabbitmq-server"],
    units: &["rabbitmq-server.service", "epmd.service", "epmd.socket"],
    port: 5672,
    ready: "Server startup complete",
};
