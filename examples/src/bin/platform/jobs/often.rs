//! How often workers look for jobs.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior, interval};
use traced_apalis::apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};

const INTERVAL: Duration = Duration::from_millis(20);

/// At an interval. In place of apalis' own `poll_with_interval`: when its time is over it sets the next one without asking to be woken
/// then, so that a worker now and then sleeps until its heartbeat, which is half a minute.
#[derive(Debug)]
#[allow(
    unreachable_pub,
    reason = "the tests of `traced-apalis` and the conformance suite have this file too, and it is public there"
)]
pub struct Often(Interval);

impl Default for Often {
    fn default() -> Self {
        let mut interval = interval(INTERVAL);
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
