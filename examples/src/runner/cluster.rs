//! The Kafka: the one that the environment names, librdkafka's mock cluster, which is inside this process (real clients on a real
//! protocol, and nothing to install), or one of the tests.

use std::{fmt, sync::Arc};

use anyhow::{Result, anyhow};
use test_brokers::{Environment, KAFKA, Kafka};
use traced_kafka::rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

/// Dropped, it is gone, where it was started here.
pub(super) enum Cluster {
    Address(String),
    Mock(MockCluster<'static, DefaultProducerContext>),
    Real(Arc<Kafka>),
}

impl Cluster {
    pub(super) fn open() -> Result<Self> {
        let environment = Environment::of_process();
        if let Some(servers) = KAFKA.address(&environment).map_err(|why| anyhow!(why))? {
            return Ok(Self::Address(servers.to_owned()));
        }
        Ok(Self::Mock(MockCluster::new(1)?))
    }

    pub(super) fn servers(&self) -> String {
        match self {
            Self::Address(servers) => servers.clone(),
            Self::Mock(mock) => mock.bootstrap_servers(),
            Self::Real(kafka) => kafka.url().to_owned(),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Address(servers) => format!("Kafka at {servers}"),
            Self::Mock(mock) => format!("Kafka at {}, a mock cluster inside this process", mock.bootstrap_servers()),
            Self::Real(kafka) => kafka.describe().to_owned(),
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
