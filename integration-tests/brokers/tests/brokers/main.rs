//! Each way to have a broker of each kind, on this machine: started, stopped, killed, started again. A way that the machine does
//! not offer is tested for its one-line error.

#![allow(clippy::print_stdout, reason = "a test says which broker it had")]

mod kafka;
mod postgres;
mod rabbitmq;
mod redis;

use test_brokers::{Environment, Kind, Way, choose};

/// The environment of this process, with one way left; `None` where the machine does not offer it, after a look at the error.
fn only(way: Way, kind: &Kind) -> Option<Environment> {
    let environment = Environment::of_process().with(Way::VARIABLE, &way.to_string());
    match choose(kind, &environment) {
        Ok(_) => Some(environment),
        Err(why) => {
            println!("not here: {why}");
            assert!(why.starts_with(&format!("no {} to be had: ", kind.name)) && !why.contains('\n'), "{why}");
            None
        }
    }
}
