//! Texts that live as long as the process, because the SDK's span names are `&'static` or allocated for each span.

use rustc_hash::FxHashSet;
use std::sync::{LazyLock, PoisonError, RwLock};

/// How many texts, and how long each, may be kept: half a megabyte and a little at the worst.
const LIMIT: usize = 4096;
const LONGEST: usize = 128;

static TEXTS: LazyLock<RwLock<FxHashSet<&'static str>>> = LazyLock::new(RwLock::default);

/// The kept copy of a text, or the text itself where it is too long or too many are kept already.
pub(crate) fn intern(text: String) -> Result<&'static str, String> {
    if text.len() > LONGEST {
        return Err(text);
    }
    if let Some(kept) = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(text.as_str()) {
        return Ok(kept);
    }
    let mut texts = TEXTS.write().unwrap_or_else(PoisonError::into_inner);
    if texts.len() >= LIMIT {
        return Err(text);
    }
    // Bounded by the two limits above: destinations are few, and those that are not stay out.
    let kept: &'static str = Box::leak(text.into_boxed_str());
    texts.insert(kept);
    Ok(kept)
}

#[cfg(test)]
pub(crate) fn is_kept(text: &str) -> bool {
    TEXTS.read().unwrap_or_else(PoisonError::into_inner).contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_a_long_one_not_at_all() {
        let first = intern("publish orders".to_owned()).unwrap();
        let second = intern("publish orders".to_owned()).unwrap();
        assert_eq!(first.as_ptr(), second.as_ptr());
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(intern(long.clone()), Err(long));
    }
}
