//! A Kafka server for tests: its address, its life.

use std::sync::Arc;

use anyhow::Result;

use super::recipe::RECIPE;
use crate::{
    Environment,
    server::{Address, Server},
    shared::Shared,
};

/// A Kafka to test with. The last handle to be dropped ends it and removes its data, also when a test panics.
///
/// One node; topics are made when they are first named, with one partition. One that was found by its address stays as it is,
/// and cannot be stopped from here.
#[derive(Debug)]
pub struct Kafka {
    server: Server,
    bootstrap_servers: String,
}

impl Kafka {
    /// The one that the tests of this process share, started if none of them has it now.
    ///
    /// Its last user ends it: hold it as long as you need it, and name topics and groups uniquely. The first group of a new
    /// Kafka waits one to three seconds for its coordinator, later ones do not.
    ///
    /// ```no_run
    /// # async fn run() -> anyhow::Result<()> {
    /// let (mine, yours) = (test_brokers::Kafka::shared().await?, test_brokers::Kafka::shared().await?);
    /// assert_eq!(mine.bootstrap_servers(), yours.bootstrap_servers());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: Shared<Kafka> = Shared::new();
        SHARED.get_or_start(Self::start()).await
    }

    /// One of your own, for what others would notice: a restart, a crash. An address in the environment is not one's own, and
    /// is what you get all the same.
    pub async fn start() -> Result<Self> {
        Self::start_in(Environment::of_process()).await
    }

    /// [`Kafka::start`] as if these were the environment variables.
    pub async fn start_in(environment: Environment) -> Result<Self> {
        let server = Server::start(RECIPE, environment).await?;
        let bootstrap_servers = match server.address() {
            Address::Url(servers) => servers.clone(),
            Address::Port { host, port } => format!("{host}:{port}"),
        };
        Ok(Self { server, bootstrap_servers })
    }

    /// Where clients connect to, the same after a restart: a client's `bootstrap.servers`, as `host:port[,host:port]`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// What it is, in one line, for reports.
    #[must_use]
    pub fn describe(&self) -> &str {
        self.server.description()
    }

    /// Ends it in good order; clients are refused until [`Kafka::start_again`]. Topics, messages and offsets stay.
    pub async fn stop(&self) -> Result<()> {
        self.server.stop().await
    }

    /// Ends it with SIGKILL, as a crash would. It then takes some nine seconds more to start again: its controller waits until
    /// the session of the broker that is no more has run out.
    pub async fn kill(&self) -> Result<()> {
        self.server.kill().await
    }

    /// Starts it on the same address with the data that it left, and waits until it takes connections.
    pub async fn start_again(&self) -> Result<()> {
        self.server.start_again().await
    }

    /// [`Kafka::stop`] and [`Kafka::start_again`].
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start_again().await
    }
}
