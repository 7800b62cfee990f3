//! A server of any kind, wherever it comes from: started, stopped, killed, started again, on one and the same address.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    Choice, Environment, Kind, Way, choose, container::Container, local::Local, port::free_ports, ready, recipe::Recipe,
};

/// A handle on a server; the last one to be dropped ends it and removes what it left.
#[derive(Clone, Debug)]
pub(crate) struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    recipe: Recipe,
    url: String,
    /// `host:port` of one that was started here.
    place: Option<String>,
    description: String,
    origin: Mutex<Origin>,
}

#[derive(Debug)]
enum Origin {
    Given,
    Container(Box<Container>),
    Local(Box<Local>),
}

impl Server {
    pub(crate) async fn start(recipe: Recipe, environment: Environment) -> Result<Self> {
        blocking(move || Self::start_blocking(&recipe, &environment)).await
    }

    fn start_blocking(recipe: &Recipe, environment: &Environment) -> Result<Self> {
        let kind = recipe.kind;
        let name = kind.name;
        let (url, place, description, origin) = match choose(&kind, environment).map_err(|why| anyhow!(why))? {
            Choice::Address(url) => {
                let places = (kind.places)(&url).unwrap_or_default();
                let printed = places.join(",");
                // One of them is enough for a client to begin with.
                if !places.iter().any(|place| ready::ask_at(place, recipe.ask).is_ok()) {
                    bail!("no {name} answers at {printed}, which {} names", kind.url_variable);
                }
                (url, None, format!("{name} at {printed}"), Origin::Given)
            }
            Choice::Docker { image } => {
                let port = free_ports(recipe.ports)?;
                let container = Container::start(recipe, &image, port)
                    .with_context(|| format!("{name} does not start from image {image}"))?;
                let id: String = container.id().unwrap_or_default().chars().take(12).collect();
                let host = container.host()?;
                let place = format!("{host}:{port}");
                let description = format!("{name} at {place}, container {id} of image {image}");
                ((recipe.url)(&place), Some(place), description, Origin::Container(Box::new(container)))
            }
            Choice::Local { program, note } => {
                let port = free_ports(recipe.ports)?;
                let local = Local::start(recipe, &program, port, environment)
                    .with_context(|| format!("{name} does not start from {}", program.display()))?;
                let id = local.id().unwrap_or_default();
                let place = format!("127.0.0.1:{port}");
                let mut description = format!("{name} at {place}, process {id} of {}", program.display());
                if let Some(note) = note {
                    description = format!("{description} ({note})");
                }
                ((recipe.url)(&place), Some(place), description, Origin::Local(Box::new(local)))
            }
        };
        let server = Self(Arc::new(Inner { recipe: *recipe, url, place, description, origin: Mutex::new(origin) }));
        server.wait_for_answer().with_context(|| server.0.description.clone())?;
        Ok(server)
    }

    fn wait_for_answer(&self) -> Result<()> {
        self.0.place.as_deref().map_or(Ok(()), |place| ready::wait_for_answer(place, self.0.recipe.ask))
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    pub(crate) fn description(&self) -> &str {
        &self.0.description
    }

    pub(crate) fn is_container(&self) -> bool {
        matches!(*self.0.origin.lock().unwrap_or_else(PoisonError::into_inner), Origin::Container(_))
    }

    pub(crate) async fn stop(&self) -> Result<()> {
        self.change(|origin| match origin {
            Origin::Given => bail!("stopped"),
            Origin::Container(container) => container.stop(),
            Origin::Local(local) => local.stop(),
        })
        .await
    }

    pub(crate) async fn kill(&self) -> Result<()> {
        self.change(|origin| match origin {
            Origin::Given => bail!("killed"),
            Origin::Container(container) => container.kill(),
            Origin::Local(local) => {
                local.kill();
                Ok(())
            }
        })
        .await
    }

    pub(crate) async fn start_again(&self) -> Result<()> {
        self.change(|origin| match origin {
            Origin::Given => bail!("started"),
            Origin::Container(container) => container.start_again(),
            Origin::Local(local) => local.start_again(),
        })
        .await?;
        let server = self.clone();
        blocking(move || server.wait_for_answer().with_context(|| server.0.description.clone())).await
    }

    async fn change(&self, change: fn(&mut Origin) -> Result<()>) -> Result<()> {
        let server = self.clone();
        blocking(move || {
            let mut origin = server.origin();
            if let Origin::Given = *origin {
                let Kind { name, url_variable, .. } = server.0.recipe.kind;
                bail!(
                    "the {name} that {url_variable} names cannot be stopped or started from here: \
                     unset it, or set {} to docker or local",
                    Way::VARIABLE
                );
            }
            change(&mut origin).with_context(|| server.0.description.clone())
        })
        .await
    }

    fn origin(&self) -> MutexGuard<'_, Origin> {
        // A panic in the middle of a change leaves something that can still be dropped.
        self.0.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Off the test's runtime: processes and containers are waited for by blocking.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
