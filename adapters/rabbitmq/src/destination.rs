//! RabbitMQ's destinations by the conventions (*RabbitMQ*, "Destination name").

use traced_envelope::{Destination, PreparedDestination, Telemetry, is_anonymous, semconv};

/// `{exchange}:{routing key}`, whichever of them there is; the default exchange without a routing key is `amq.default`.
pub(crate) fn of_producer(exchange: &str, routing_key: &str) -> Destination {
    // On the default exchange the routing key is a queue's name.
    let anonymous = exchange.is_empty() && is_anonymous(routing_key);
    let name = join([exchange, routing_key, ""]);
    let name = if name.is_empty() { "amq.default".to_owned() } else { name };
    Destination::new(name).anonymous(anonymous).attribute(&semconv::RABBITMQ_ROUTING_KEY, routing_key)
}

/// What is the same for all messages to an exchange with a routing key.
pub(crate) fn prepared(
    telemetry: &Telemetry,
    operation: &'static str,
    exchange: &str,
    routing_key: &str,
) -> PreparedDestination {
    let describe = || of_producer(exchange, routing_key);
    if exchange.is_empty() && is_anonymous(routing_key) {
        // The queue of one requester: many of them would take the place of the destinations that last.
        return telemetry.prepare(operation, describe());
    }
    telemetry.prepared(operation, &[exchange, routing_key], |_| describe())
}

/// `{exchange}:{routing key}:{queue}`; the queue is left out when it is named like the routing key.
pub(crate) fn of_consumer(exchange: &str, routing_key: &str, queue: &str) -> Destination {
    let name = join([exchange, routing_key, if queue == routing_key { "" } else { queue }]);
    let anonymous = is_anonymous(queue) || (exchange.is_empty() && is_anonymous(routing_key));
    Destination::new(name).anonymous(anonymous).attribute(&semconv::RABBITMQ_ROUTING_KEY, routing_key)
}

fn join(parts: [&str; 3]) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.fold(String::new(), |name, part| if name.is_empty() { part.to_owned() } else { format!("{name}:{part}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use traced_envelope::Settings;

    fn names(destination: Destination) -> (String, String) {
        let prepared = Telemetry::new("rabbitmq", &Settings::default()).prepare("do", destination);
        (prepared.name().to_owned(), prepared.span_name().to_owned())
    }

    #[test]
    fn a_producers_destination_is_exchange_and_routing_key() {
        for (exchange, routing_key, name, span) in [
            ("orders", "order.created", "orders:order.created", "do orders:order.created"),
            ("orders", "", "orders", "do orders"),
            ("", "inventory", "inventory", "do inventory"),
            ("", "", "amq.default", "do amq.default"),
            (
                "orders",
                "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
                "orders:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
                "do orders:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            ),
            ("", "amq.gen-JzTY20BRgKO-HjmUJj0wLg", "amq.gen-JzTY20BRgKO-HjmUJj0wLg", "do"),
        ] {
            assert_eq!(names(of_producer(exchange, routing_key)), (name.to_owned(), span.to_owned()));
        }
    }

    #[test]
    fn a_consumers_destination_has_the_queue_too() {
        for (exchange, routing_key, queue, name, span) in [
            (
                "orders",
                "order.created",
                "inventory",
                "orders:order.created:inventory",
                "do orders:order.created:inventory",
            ),
            ("", "inventory", "inventory", "inventory", "do inventory"),
            ("orders", "", "inventory", "orders:inventory", "do orders:inventory"),
            ("orders", "k", "amq.gen-JzTY20BRgKO-HjmUJj0wLg", "orders:k:amq.gen-JzTY20BRgKO-HjmUJj0wLg", "do"),
        ] {
            assert_eq!(names(of_consumer(exchange, routing_key, queue)), (name.to_owned(), span.to_owned()));
        }
    }
}
