//! RabbitMQ: the facts here, how it is started in `recipe.rs`.

use crate::{Kind, Program, place::split_place};

#[cfg(feature = "servers")]
mod recipe;
#[cfg(feature = "servers")]
pub use recipe::RabbitMq;

/// RabbitMQ, with AMQP 0-9-1.
pub const RABBITMQ: Kind = Kind {
    name: "RabbitMQ",
    url_variable: "TRACED_RABBITMQ_URL",
    url_form: "amqp://user:password@host:port/vhost",
    places,
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

/// Of `amqp[s]://[user[:password]@]host[:port][/vhost][?parameters]`.
fn places(url: &str) -> Option<Vec<String>> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme {
        "amqp" => PORT,
        "amqps" => 5671,
        _ => return None,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = split_place(place)?;
    Some(vec![format!("{host}:{}", port.unwrap_or(default_port))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_url_is_its_host_and_port() {
        for (url, printed) in [
            ("amqp://me:secret@there:1234/%2f", "there:1234"),
            ("amqp://me:s@cret@there/%2f?heartbeat=1", "there:5672"),
            ("amqp://[::1]:5673", "[::1]:5673"),
            ("amqp://[::1]/", "[::1]:5672"),
            ("amqps://there", "there:5671"),
        ] {
            assert_eq!(places(url), Some(vec![printed.to_owned()]), "{url}");
        }
    }

    #[test]
    fn what_is_no_amqp_url_is_malformed() {
        for url in ["there", "there:5672", "http://there", "amqp://", "amqp://me@/", "amqp://there:port", "amqp://a b"]
        {
            assert_eq!(places(url), None, "{url}");
        }
    }
}
