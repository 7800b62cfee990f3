//! What all services have in common: a name, a web server with the health checks, and an end.

use std::{future::Future, time::Duration};

use anyhow::{Context as _, bail};
use axum::{Router, routing::get};
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use examples::runner::SERVICES;
use tokio::{net::TcpListener, select, time::timeout};

use crate::{analytics, gateway, inventory, jobs, notifier, orders, settings::Settings, shutdown::Shutdown, users};

/// For so long a service that was asked to stop may finish what it has begun. A job writes to the database several times, and on a busy
/// machine SQLite lets each of them wait for others for 5 s.
const GRACE: Duration = Duration::from_secs(20);

/// Runs a service until the process is asked to stop.
pub(crate) async fn serve(name: &str) -> anyhow::Result<()> {
    match name {
        gateway::NAME => gateway::serve().await,
        users::NAME => users::serve().await,
        orders::NAME => orders::serve().await,
        inventory::NAME => inventory::serve().await,
        analytics::NAME => analytics::serve().await,
        jobs::NAME => jobs::serve().await,
        notifier::NAME => notifier::serve().await,
        _ => bail!("no such service; there are {}", SERVICES.join(", ")),
    }
}

/// Serves `routes` and the health checks, while `work` goes on beside it. Both end soon after the process was asked to stop.
///
/// # Errors
///
/// What ended the work, or why the address cannot be listened on.
pub(crate) async fn run(
    settings: &Settings,
    routes: Router,
    shutdown: Shutdown,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(settings.listen).await.with_context(|| format!("cannot listen on {}", settings.listen))?;
    tracing::info!(address = %listener.local_addr()?, "ready");
    let requested = shutdown.clone();
    let server =
        axum::serve(listener, with_health(routes)).with_graceful_shutdown(async move { requested.wait().await });
    let both = async { tokio::try_join!(async { Ok(server.await?) }, work).map(|_| ()) };
    let mut both = std::pin::pin!(both);
    select! {
        ended = &mut both => return ended,
        () = shutdown.wait() => {}
    }
    tracing::info!("stopping");
    timeout(GRACE, both).await.with_context(|| format!("not finished {} s after the signal", GRACE.as_secs()))?
}

/// For a service that does nothing but answer.
pub(crate) async fn idle(shutdown: Shutdown) -> anyhow::Result<()> {
    shutdown.wait().await;
    Ok(())
}

/// The spans of requests, and two routes that make none: asked every few seconds, they would be most of what is stored.
fn with_health(routes: Router) -> Router {
    routes
        .route("/healthz", get(async || "ok"))
        .merge(traced_telemetry::routes())
        .layer(OtelAxumLayer::default().filter(|path| !matches!(path, "/healthz" | "/health/tracing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_and_the_help_know_all_services() {
        let names =
            [gateway::NAME, users::NAME, orders::NAME, inventory::NAME, analytics::NAME, jobs::NAME, notifier::NAME];
        assert_eq!(names, SERVICES);
        for name in names {
            assert!(crate::arguments::SERVE.contains(name), "{name}");
        }
    }
}
