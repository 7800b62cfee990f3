//! Jobs through real storages and workers.
#![forbid(unsafe_code)]

mod enqueuing;
mod outcomes;
mod storages;
mod support;
mod working;
