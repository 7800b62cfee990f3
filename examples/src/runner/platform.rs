//! All services at once.

use std::{
    fmt, mem,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use tempfile::TempDir;
use test_brokers::free_port;
use tokio::{select, time::sleep};

use super::{Brokers, http_client, process::Service};

/// The names of the services, in the order in which an order comes to them.
pub const SERVICES: [&str; 7] =
    ["gateway", "user-service", "order-service", "inventory-worker", "analytics-worker", "job-worker", "notifier"];

/// In this order they are ended: what one has begun, the next one finishes. Only dead letters go the other way, and wait in their queue.
const ENDING: [&[&str]; 4] = [
    &["gateway"],
    &["user-service", "order-service"],
    &["inventory-worker", "job-worker"],
    &["analytics-worker", "notifier"],
];

/// They connect to their brokers within a second; a machine may be busy.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A service takes twenty seconds at most to finish what it has begun, and what it announces and what it tells of itself five each.
const STOP_LIMIT: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(50);

/// The services, each a process, with free ports on loopback and an SQLite database of their own. Dropped, they are asked to end, and
/// killed if they do not.
pub struct Platform {
    services: Vec<Service>,
    // After the services: they live in it.
    directory: TempDir,
}

impl Platform {
    /// Starts the services of `program`, which is the binary `platform`, and waits until all of them are healthy. `variables` are for
    /// all of them: telemetry's.
    ///
    /// # Errors
    ///
    /// When one cannot be started, ends, or is not healthy within a minute: with the last lines of its log.
    pub async fn start(program: &Path, brokers: &Brokers, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("platform-").tempdir()?;
        let mut platform = Self { services: Vec::new(), directory };
        let address = || anyhow::Ok(format!("127.0.0.1:{}", free_port()?));
        let grpc = address()?;
        let mut listen = Vec::new();
        for name in SERVICES {
            listen.push((name, address()?));
        }
        let url = |wanted: &str| {
            listen.iter().find(|(name, _)| *name == wanted).map(|(_, address)| format!("http://{address}"))
        };
        let database = platform.directory.path().join("platform.db");
        let mut settings = vec![
            ("GRPC_LISTEN", grpc.clone()),
            ("USER_SERVICE_GRPC_URL", format!("http://{grpc}")),
            ("USER_SERVICE_URL", url("user-service").unwrap_or_default()),
            ("ORDER_SERVICE_URL", url("order-service").unwrap_or_default()),
            ("DATABASE_URL", format!("sqlite://{}?mode=rwc", database.display())),
        ];
        settings.extend(brokers.variables());
        for (name, address) in &listen {
            let settings = settings.iter().map(|(variable, value)| (*variable, value.as_str()));
            let own = [("LISTEN", address.as_str())];
            let variables = settings.chain(own).chain(variables.iter().copied());
            let url = format!("http://{address}");
            let service = Service::start(program, platform.directory.path(), name, url, variables)?;
            platform.services.push(service);
        }
        select! {
            healthy = platform.healthy() => healthy?,
            ended = platform.ended() => return Err(ended),
        }
        Ok(platform)
    }

    /// The URL of a service: `http://127.0.0.1:PORT`.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn url(&self, service: &str) -> Result<&str> {
        Ok(&self.service(service)?.url)
    }

    /// The names and URLs of all services.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.services.iter().map(|service| (service.name, service.url.as_str()))
    }

    /// What a service has written: a line of JSON for each event.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or there is no such service.
    pub fn log(&self, service: &str) -> Result<String> {
        self.service(service)?.log()
    }

    /// Returns when a service has ended without having been asked to, with its last lines.
    pub async fn ended(&self) -> Error {
        loop {
            for service in &self.services {
                if let Err(ended) = service.check() {
                    return ended;
                }
            }
            sleep(POLL).await;
        }
    }

    /// Asks all services to end, those that send before those that receive, and waits until they have: what they had to export was sent
    /// then. Blocks.
    ///
    /// # Errors
    ///
    /// When one had to be killed, or did not end well; the others were ended all the same.
    pub fn stop(&self) -> Result<()> {
        let mut result = Ok(());
        for names in ENDING {
            thread::scope(|scope| {
                let services = self.services.iter().filter(|service| names.contains(&service.name));
                let stops: Vec<_> = services.map(|service| scope.spawn(|| service.stop(STOP_LIMIT))).collect();
                for stop in stops {
                    let stopped = stop.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked")));
                    result = mem::replace(&mut result, Ok(())).and(stopped);
                }
            });
        }
        result
    }

    fn service(&self, name: &str) -> Result<&Service> {
        self.services.iter().find(|service| service.name == name).with_context(|| format!("there is no {name}"))
    }

    async fn healthy(&self) -> Result<()> {
        let http = http_client(Duration::from_secs(1))?;
        let start = Instant::now();
        for service in &self.services {
            loop {
                let answer = http.get(format!("{}/healthz", service.url)).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                if start.elapsed() > START_LIMIT {
                    bail!(
                        "{} is not healthy after {} s; its log ends with:\n{}",
                        service.name,
                        START_LIMIT.as_secs(),
                        service.last_lines()
                    );
                }
                sleep(POLL).await;
            }
        }
        Ok(())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // Whoever wants to know calls it before; there is nobody left to tell.
        self.stop().ok();
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("directory", &self.directory).finish_non_exhaustive()
    }
}
