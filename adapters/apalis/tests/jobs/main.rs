//! Jobs through real storages and workers.
#![forbid(unsafe_code)]

mod builtin_layer;
mod crash;
mod cron;
mod enqueuing;
mod outcomes;
mod storages;
mod support;
mod workflow;
mod working;
