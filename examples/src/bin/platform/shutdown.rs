//! The end of a service: SIGTERM, or ctrl-c.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells everybody who holds a copy that the process was asked to stop.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// From here on neither signal ends the process by itself.
    pub(crate) fn on_signal() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            sender.send_replace(true);
        });
        Ok(Self(receiver))
    }

    /// Returns when the process was asked to stop.
    pub(crate) async fn wait(&self) {
        // An error: the sender is gone with its runtime, which is an end too.
        self.0.clone().wait_for(|requested| *requested).await.ok();
    }

    /// What comes first: the future's output, or `None` at the end.
    pub(crate) async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            output = future => Some(output),
        }
    }
}
