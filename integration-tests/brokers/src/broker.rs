//! A broker to test with, of any kind: what tests, the demo and the benchmarks hold.

use std::{fmt, marker::PhantomData, sync::Arc};

use anyhow::Result;

use crate::{Environment, recipe::Recipe, server::Server, shared::Shared};

/// A broker to test with. The last handle to be dropped ends it and removes its data, also when a test panics.
///
/// One that was found by its address stays as it is, and cannot be stopped from here.
pub struct Broker<K> {
    server: Server,
    kind: PhantomData<fn() -> K>,
}

/// Stands for a kind of broker in [`Broker`]'s type.
pub trait Served: Sized + 'static {
    /// How it is started.
    const RECIPE: Recipe;

    /// Where the shared one is: a `static`, which a generic function cannot have for each kind.
    fn shared() -> &'static Shared<Broker<Self>>;
}

impl<K: Served> Broker<K> {
    /// The one that the tests of this process share, started if none of them has it now.
    ///
    /// Its last user ends it: hold it as long as you need it, and name queues, topics, channels and groups uniquely.
    ///
    /// ```no_run
    /// # async fn run() -> anyhow::Result<()> {
    /// let (mine, yours) = (test_brokers::RabbitMq::shared().await?, test_brokers::RabbitMq::shared().await?);
    /// assert_eq!(mine.url(), yours.url());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shared() -> Result<Arc<Self>> {
        K::shared().get_or_start(Self::start()).await
    }

    /// One of your own, for what others would notice: a restart, a policy, an alarm. An address in the environment is not
    /// one's own, and is what you get all the same.
    pub async fn start() -> Result<Self> {
        Self::start_in(Environment::of_process()).await
    }

    /// [`Broker::start`] as if these were the environment variables.
    pub async fn start_in(environment: Environment) -> Result<Self> {
        Ok(Self { server: Server::start(K::RECIPE, environment).await?, kind: PhantomData })
    }
}

impl<K> Broker<K> {
    /// Where clients connect to, the same after a restart, in the form of [`Kind::url_form`](crate::Kind::url_form).
    #[must_use]
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// What it is, in one line without a password, for reports.
    #[must_use]
    pub fn describe(&self) -> &str {
        self.server.description()
    }

    /// Whether it is a container, which testcontainers' watchdog removes on SIGINT and SIGTERM before it ends this process: whoever
    /// handles these signals, too, leaves that to it.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.server.is_container()
    }

    /// Ends it in good order; clients are refused until [`Broker::start_again`]. What the broker keeps on disk stays.
    pub async fn stop(&self) -> Result<()> {
        self.server.stop().await
    }

    /// Ends it with SIGKILL, as a crash would.
    pub async fn kill(&self) -> Result<()> {
        self.server.kill().await
    }

    /// Starts it on the same address with the data that it left, and waits until it takes connections.
    pub async fn start_again(&self) -> Result<()> {
        self.server.start_again().await
    }

    /// [`Broker::stop`] and [`Broker::start_again`].
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start_again().await
    }
}

impl<K> fmt::Debug for Broker<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("server", &self.server).finish()
    }
}
