//! Jobs through real storages and workers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "test code; `allow-unwrap-in-tests` covers functions with #[test] only")]

mod attempts;
mod builtin_layer;
mod crash;
mod cron;
mod enqueuing;
mod flushing;
#[path = "../../../../examples/src/bin/platform/jobs/often.rs"]
mod often;
mod outcomes;
mod spawned;
mod storages;
mod support;
mod waterfall;
mod workflow;
mod working;
