//! Workers that go on when their broker was away.

use std::time::Duration;

use crate::shutdown::Shutdown;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Works over a connection until the end; when it breaks, opens another one. What a handler had begun is not acknowledged then, so that the
/// broker delivers it again.
///
/// The first one is opened by the service: a broker that is not there at the start is a wrong address rather than a restart.
pub(crate) async fn work<S>(
    shutdown: &Shutdown,
    broker: &str,
    mut connected: S,
    open: impl AsyncFn() -> anyhow::Result<S>,
    work: impl AsyncFn(S) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    loop {
        match work(connected).await {
            Ok(()) => return Ok(()), // asked to stop
            Err(error) => tracing::warn!(error = format!("{error:#}"), "connecting to {broker} again"),
        }
        let again = shutdown.or(open_again(broker, &open)).await;
        let Some(opened) = again else { return Ok(()) };
        tracing::info!("connected to {broker} again");
        connected = opened;
    }
}

async fn open_again<S>(broker: &str, open: &impl AsyncFn() -> anyhow::Result<S>) -> S {
    let mut wait = FIRST_WAIT;
    loop {
        tokio::time::sleep(wait).await;
        match open().await {
            Ok(connected) => return connected,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "no connection to {broker} yet"),
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
