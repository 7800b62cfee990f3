//! The conformance suite on real brokers: `cargo test -p integration-tests --test conformance`.

/// Background jobs in PostgreSQL, over apalis.
mod apalis_postgres {
    integration_tests::conformance!(integration_tests::ApalisTransport<integration_tests::Postgres>);
}

/// Background jobs in Redis, over apalis.
mod apalis_redis {
    integration_tests::conformance!(integration_tests::ApalisTransport<integration_tests::Redis>);
}

/// Background jobs in SQLite, over apalis.
mod apalis_sqlite {
    integration_tests::conformance!(integration_tests::ApalisTransport<integration_tests::Sqlite>);
}

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
