//! The conformance suite on real brokers: `cargo test -p integration-tests --test conformance`.

/// RabbitMQ, over lapin.
mod rabbitmq {
    integration_tests::conformance!(integration_tests::RabbitMqTransport);
}
