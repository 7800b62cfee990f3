//! Tests do not sleep: they wait for what has to arrive.

use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

use traced_envelope::testing::Forest;

use crate::{Collector, Received};

impl Collector {
    /// Blocks until `condition` holds for all that was received, and returns it. It is asked at once and after each export.
    ///
    /// In an asynchronous test, call it where blocking is allowed: `tokio::task::block_in_place`.
    ///
    /// # Errors
    ///
    /// When `limit` passes first: the error has what did arrive, and shows its spans.
    pub fn wait_until(
        &self,
        limit: Duration,
        mut condition: impl FnMut(&Received) -> bool,
    ) -> Result<Received, TimedOut> {
        let start = Instant::now();
        let mut received = self.state.received();
        loop {
            if condition(&received) {
                return Ok(received.clone());
            }
            let Some(rest) = limit.checked_sub(start.elapsed()) else {
                return Err(TimedOut { limit, received: Box::new(received.clone()) });
            };
            received = self.state.next(received, rest);
        }
    }
}

/// What was waited for did not arrive in time.
#[derive(Clone)]
pub struct TimedOut {
    limit: Duration,
    received: Box<Received>,
}

impl TimedOut {
    /// What had arrived.
    #[must_use]
    pub fn received(&self) -> &Received {
        &self.received
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = self.received.spans();
        write!(f, "waited {:?} for what did not arrive; there are {} spans", self.limit, spans.len())?;
        if spans.is_empty() { Ok(()) } else { write!(f, ":\n{}", Forest::new(spans.iter().cloned())) }
    }
}

// As `Display`: a test's `unwrap` shows this one.
impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TimedOut {}
