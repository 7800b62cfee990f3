//! Each way to have a broker of each kind, on this machine: started, stopped, killed, started again. A way that the machine does
//! not offer is tested for its one-line error.

#![allow(clippy::print_stdout, reason = "a test says which broker it had")]

mod kafka;
mod postgres;
mod rabbitmq;
mod redis;

use anyhow::Result;
use test_brokers::{Environment, Kind, Way, choose};

/// Runs a test in the environment of this process, with one way left; where the machine does not offer it, looks at the error instead.
async fn only(way: Way, kind: &Kind, test: impl AsyncFnOnce(Environment) -> Result<()>) -> Result<()> {
    let environment = Environment::of_process().with(Way::VARIABLE, &way.to_string());
    match choose(kind, &environment) {
        Ok(_) => test(environment).await,
        Err(why) => {
            println!("not here: {why}");
            assert!(why.starts_with(&format!("no {} to be had: ", kind.name)) && !why.contains('\n'), "{why}");
            Ok(())
        }
    }
}
