//! One value for all who want it at the same time.

use std::{
    future::Future,
    sync::{Arc, Weak},
};

use anyhow::Result;
use tokio::sync::Mutex;

/// Fit for a `static`: it holds nothing by itself, so the last user drops the value. A value in a `static` is never dropped, and
/// its container stays behind.
#[derive(Debug)]
pub struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::const_new(Weak::new()))
    }

    /// The value in use, or else a new one; those who come while it is being started wait for it.
    pub(crate) async fn get_or_start(&self, start: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let mut shared = self.0.lock().await;
        if let Some(value) = shared.upgrade() {
            return Ok(value);
        }
        let value = Arc::new(start.await?);
        *shared = Arc::downgrade(&value);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_one_value_until_its_last_user_drops_it() {
        static SHARED: Shared<u8> = Shared::new();
        let first = SHARED.get_or_start(async { Ok(1) }).await.expect("a value");
        let second = SHARED.get_or_start(async { Ok(2) }).await.expect("a value");
        assert_eq!((*first, *second), (1, 1));
        drop((first, second));
        assert_eq!(*SHARED.get_or_start(async { Ok(3) }).await.expect("a value"), 3);
    }

    #[tokio::test]
    async fn a_failed_start_is_tried_again_by_the_next_user() {
        static SHARED: Shared<u8> = Shared::new();
        assert!(SHARED.get_or_start(async { anyhow::bail!("no") }).await.is_err());
        assert_eq!(*SHARED.get_or_start(async { Ok(1) }).await.expect("a value"), 1);
    }
}
