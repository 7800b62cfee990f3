//! Ctrl-C, or SIGTERM, of the runner itself.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::{
    select,
    signal::unix::{SignalKind, signal},
};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether [`interrupted`] has returned.
pub(super) fn was_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Returns when this process is asked to end. From the first poll on it does not end by itself: whoever waits has to.
///
/// # Errors
///
/// When the signals cannot be listened to.
pub async fn interrupted() -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    INTERRUPTED.store(true, Ordering::SeqCst);
    Ok(())
}
