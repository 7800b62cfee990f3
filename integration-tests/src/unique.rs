//! Names that nobody else has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Unique among processes and the tests of this one.
#[must_use]
pub fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::UNIX_EPOCH.elapsed().map(|time| time.as_nanos()).unwrap_or_default();
    format!("{}-{time}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
