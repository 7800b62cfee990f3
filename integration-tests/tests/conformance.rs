//! The conformance suite on real brokers: `cargo test -p integration-tests --test conformance`.

/// Kafka, over rdkafka.
mod kafka {
    integration_tests::conformance!(integration_tests::KafkaTransport);
}

/// RabbitMQ, over lapin.
mod rabbitmq {
    integration_tests::conformance!(integration_tests::RabbitMqTransport);
}

/// Redis pub/sub, over redis.
mod redis_pubsub {
    integration_tests::conformance!(integration_tests::RedisPubSubTransport);
}

/// Redis streams, over redis.
mod redis_streams {
    integration_tests::conformance!(integration_tests::RedisStreamsTransport);
}
