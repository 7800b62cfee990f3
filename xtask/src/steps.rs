//! Progress: numbered steps with the seconds since the start. Commands' own output stands between them as it is.

use std::time::Instant;

pub(crate) struct Steps {
    start: Instant,
    current: usize,
    total: usize,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { start: Instant::now(), current: 0, total }
    }

    /// Begins the next step.
    pub(crate) fn next(&mut self, title: &str) {
        self.current += 1;
        self.say(title);
    }

    /// A line of the current step.
    pub(crate) fn say(&self, line: &str) {
        println!("[{}/{} {:>4.0?} s] {line}", self.current, self.total, self.start.elapsed().as_secs_f64().floor());
    }
}
