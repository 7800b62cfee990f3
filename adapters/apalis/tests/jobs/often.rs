//! How often the workers of tests look for jobs.

use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};
use traced_apalis::apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};

/// At an interval. In place of apalis' own `poll_with_interval`, which loses its timer where that ends while a fetch does: a worker then
/// sleeps until its heartbeat, which is half a minute.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the conformance suite has this file too, and makes it public")]
pub struct Often(Interval);

impl Default for Often {
    fn default() -> Self {
        let mut interval = interval(Duration::from_millis(10));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(interval)
    }
}

/// A clone ticks by itself.
impl Clone for Often {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PollStrategy for Often {
    fn poll_drive(&mut self, task: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut ticked = Poll::Pending;
        // Until it is pending: only then the task is woken at the next tick.
        while self.0.poll_tick(task).is_ready() {
            ticked = Poll::Ready(Some(()));
        }
        ticked
    }
}
