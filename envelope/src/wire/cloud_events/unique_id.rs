//! Ids of events, unique in the world: "source + id is unique for each distinct event".

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Std's hash keys come from the system's random numbers. Two of them: 64 bits are too few for processes that are started by the
/// thousand, for years.
static PROCESS: LazyLock<String> =
    LazyLock::new(|| format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1)));

static COUNT: AtomicU64 = AtomicU64::new(0);

pub(super) fn next() -> String {
    format!("{}-{}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_events_have_the_same_id() {
        let threads: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..100).map(|_| next()).collect::<Vec<_>>())).collect();
        let ids: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 400);
    }
}
