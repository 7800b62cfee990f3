//! Examples: the demo in `src/bin/demo`, quick starts in `examples`, and a test as users write it in `tests`.
//!
//! The README's code is tested from here.
#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
