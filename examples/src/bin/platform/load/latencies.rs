//! Many durations in three numbers.

use std::{fmt, time::Duration};

/// Sorted when they are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest one that so many of a hundred do not exceed; zero where there is none.
    fn percentile(sorted: &[Duration], percent: usize) -> Duration {
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        Self(durations.into_iter().collect())
    }
}

/// The median and the slow ends, in columns: `p50      p95      p99`.
impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let milliseconds = |percent| Self::percentile(&sorted, percent).as_secs_f64() * 1000.0;
        let [median, slow, slowest] = [50, 95, 99].map(milliseconds);
        write!(f, "{median:>9.1} {slow:>9.1} {slowest:>9.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(all: impl IntoIterator<Item = u64>) -> Latencies {
        all.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(milliseconds((1..=100).rev()).to_string(), "     50.0      95.0      99.0");
        assert_eq!(milliseconds([7]).to_string(), "      7.0       7.0       7.0");
        assert_eq!(milliseconds([1, 2]).to_string(), "      1.0       2.0       2.0");
        assert_eq!(milliseconds([]).to_string(), "      0.0       0.0       0.0");
    }
}
