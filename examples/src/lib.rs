//! Examples: the order platform in `src/bin/platform`, what runs it in `src/runner`, quick starts in `examples`, and tests as users
//! write them in `tests`.
//!
//! The README's code is tested from here.
#![forbid(unsafe_code)]

pub mod runner;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
