//! Tables in the database, which two services make at the same time when they start together.

use std::{error::Error, time::Duration};

use anyhow::Context as _;
use tokio::time::sleep;

/// Makes tables that are not there yet. The service that comes second is refused, also where the statement says `IF NOT EXISTS`, and finds
/// them there when it tries again.
pub(crate) async fn set_up<E: Error + Send + Sync + 'static>(
    make: impl AsyncFn() -> Result<(), E>,
) -> anyhow::Result<()> {
    for wait in [100, 200, 400, 800] {
        if make().await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(wait)).await;
    }
    make().await.context("the database's tables cannot be made")
}
