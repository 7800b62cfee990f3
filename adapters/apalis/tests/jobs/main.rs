//! Jobs through real storages and workers.
#![forbid(unsafe_code)]

mod builtin_layer;
mod crash;
mod cron;
mod enqueuing;
mod outcomes;
mod storages;
mod support;
mod waterfall;
mod workflow;
mod working;
