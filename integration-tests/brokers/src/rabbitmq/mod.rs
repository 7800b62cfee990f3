//! RabbitMQ: the facts here, how it is started in `recipe.rs`.

use crate::{Kind, Program, place::place_of_url};

#[cfg(feature = "servers")]
mod recipe;
#[cfg(feature = "servers")]
pub use recipe::RabbitMq;

/// RabbitMQ, with AMQP 0-9-1.
pub const RABBITMQ: Kind = Kind {
    name: "RabbitMQ",
    url_variable: "TRACED_RABBITMQ_URL",
    url_form: "amqp://user:password@host:port/vhost",
    places: |url| Some(vec![place_of_url(url, &[("amqp", PORT), ("amqps", 5671)])?]),
    image_variable: "TRACED_RABBITMQ_IMAGE",
    image: "rabbitmq:4.1.4",
    programs: &[Program {
        variable: Some("TRACED_RABBITMQ_SERVER"),
        // Debian's program on PATH is a wrapper that insists on the user rabbitmq: the real one comes first.
        paths: &["/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"],
        packages: &["rabbitmq-server"],
        instead: Some("set TRACED_RABBITMQ_SERVER to the server's program"),
        spared: None,
    }],
    units: &["rabbitmq-server.service", "epmd.service", "epmd.socket"],
    prepare: None,
    port: PORT,
    ready: "Server startup complete",
};

const PORT: u16 = 5672;
